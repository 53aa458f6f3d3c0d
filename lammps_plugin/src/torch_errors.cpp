#include "torch_errors.h"

#include <c10/util/Exception.h>

#include <cstring>

namespace glassml {

std::string reason(const std::exception& error) {
  const auto* from_torch = dynamic_cast<const c10::Error*>(&error);
  std::string text = from_torch != nullptr ? from_torch->what_without_backtrace() : error.what();
  const std::size_t code = text.find("Traceback of TorchScript");
  const std::size_t cause = text.rfind("Error: ");
  if (code != std::string::npos && cause != std::string::npos && cause > code)
    text = text.substr(cause + std::strlen("Error: "));
  while (!text.empty() && std::strchr(" \n\t", text.back()) != nullptr) text.pop_back();
  return text;
}

}  // namespace glassml
