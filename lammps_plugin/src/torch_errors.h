// Errors of torch for people.
#pragma once

#include <exception>
#include <string>

namespace glassml {

/// torch's own message, without the C++ stack below and the TorchScript code above it.
std::string reason(const std::exception& error);

}  // namespace glassml
