#pragma once

#include <string>
#include <string_view>

namespace glassml {

/// Checks that code of a model file names no operator but those that models need. Its text is read
/// before anything of it is loaded: a TorchScript archive is a program, and some of torch's
/// operators write files. Python has the same rules (glassml/export/code_check.py).
///
/// @param text one of its files of code
/// @param file for messages
/// @throws std::runtime_error it does
void check_source(std::string_view text, const std::string& file);

}  // namespace glassml
