#pragma once

#include <string>

namespace caffe2::serialize {
class PyTorchStreamReader;
}

namespace glassml {

/// Checks that the code in a model file names no operator but those that models need. Its text is
/// read before anything of it is loaded: a TorchScript archive is a program, and some of torch's
/// operators write files. Python has the same rules (glassml/export/code_check.py).
///
/// @param file for messages
/// @throws std::runtime_error it does
void check_code(caffe2::serialize::PyTorchStreamReader& reader, const std::string& file);

}  // namespace glassml
