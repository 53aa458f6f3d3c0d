// The models that ship with the glassml that built this plugin. No LAMMPS, no torch.
#pragma once

#include <string>

namespace glassml {

/// The file of a model.
/// @param name a file, or the name of a shipped model, such as "kob_andersen_T0.44"
/// @returns `name` if there is such a file, otherwise the file of the shipped model
/// @throws std::runtime_error if there is neither; names the shipped models
std::string find_model(const std::string& name);

}  // namespace glassml
