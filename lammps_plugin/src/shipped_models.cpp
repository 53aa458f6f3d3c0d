#include "shipped_models.h"

#include <dlfcn.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "manifest.h"

namespace glassml {

namespace {

namespace fs = std::filesystem;

constexpr const char* kFolder = "models";  // as in glassml/native/location.py
constexpr const char* kSuffix = ".pt";
const char kInThisLibrary = 0;

/// `glassml build` puts a link to the folder of the shipped models beside the plugin.
fs::path folder() {
  Dl_info library{};
  if (dladdr(&kInThisLibrary, &library) == 0 || library.dli_fname == nullptr) return {};
  std::error_code problem;
  return fs::absolute(library.dli_fname, problem).parent_path() / kFolder;
}

std::vector<std::string> shipped_names(const fs::path& models) {
  std::vector<std::string> names;
  std::error_code problem;
  for (const fs::directory_entry& entry : fs::directory_iterator(models, problem))
    if (entry.path().extension() == kSuffix) names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

std::string find_model(const std::string& name) {
  std::error_code problem;
  // With another problem than a missing file, reading it says what the problem is.
  if (fs::exists(name, problem) || problem) return name;
  const fs::path models = folder();
  const std::vector<std::string> names = shipped_names(models);
  if (std::find(names.begin(), names.end(), name) != names.end())
    return (models / (name + kSuffix)).string();
  const std::string known = names.empty() ? "" : " (" + joined(names) + ")";
  throw std::runtime_error(
      name + ": expected a model file that can be read, or the name of a model that ships " +
      "with glassml" + known + "; found: " + std::strerror(ENOENT) +
      (names.empty() ? ": 'glassml models fetch-path NAME' prints the path of a shipped model"
                     : ""));
}

}  // namespace glassml
