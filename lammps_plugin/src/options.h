// The arguments of the fix as words. No LAMMPS, no model.
#pragma once

#include <string>
#include <vector>

namespace glassml {

struct Options {
  std::string model_file;
  std::vector<std::string> species;  ///< one for each atom type
  std::vector<std::string> outputs = {"propensity"};
  std::vector<std::string> scalars;  ///< c_ID, c_ID[i], f_ID, f_ID[i] or v_name
  std::string device = "auto";
  int threads = 0;  ///< 0: the number that LAMMPS uses
};

/// @param words MODEL species1 ... speciesN [keyword value ...]
/// @param n_types number of atom types: what follows the species must be a keyword
/// @throws std::runtime_error that names the word, what was expected and what was found
Options parse_options(const std::vector<std::string>& words, int n_types);

}  // namespace glassml
