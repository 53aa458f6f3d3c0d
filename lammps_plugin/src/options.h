// The arguments of the fix as words. No LAMMPS, no model.
#pragma once

#include <string>
#include <vector>

namespace glassml {

/// Which positions of the atoms the model reads.
enum class Positions {
  kModel,     ///< as the model says
  kThermal,   ///< those of the present configuration
  kAverage,   ///< averaged over a window of samples
  kInherent,  ///< those of the inherent structure, the minimum of the energy below
};

struct Options {
  std::string model_file;
  std::vector<std::string> species;  ///< one for each atom type
  std::vector<std::string> outputs = {"propensity"};
  std::vector<std::string> scalars;  ///< c_ID, c_ID[i], f_ID, f_ID[i] or v_name
  Positions positions = Positions::kModel;
  int sample_every = 0;   ///< steps between two samples of averaged positions; 0: as the model says
  int n_samples = 0;      ///< in a window; 0: as the model says
  bool inherent = false;  ///< find the inherent structures, for positions or scalar inputs
  double force_tolerance = 0.0;  ///< of inherent structures [energy / length]; 0: not given
  int max_iterations = 100000;   ///< of a minimisation, as in glassml/simulation/inherent.py
  std::string device = "auto";
  int threads = 0;         ///< 0: the number that LAMMPS uses
  int smooth = 0;          ///< number of evaluations whose mean is reported; 0: no means
  double threshold = 0.0;  ///< propensity above which an atom counts as mobile; 0: not given
  int chi4 = 0;            ///< number of last evaluations of which chi4 is made; 0: all
  bool chi4_given = false;
  bool edges = false;  ///< a local array of the outputs of edges
  bool trust = false;  ///< the code of the model is not checked
};

/// @param words MODEL species1 ... speciesN [keyword value ...]
/// @param n_types number of atom types: what follows the species must be a keyword
/// @throws std::runtime_error that names the word, what was expected and what was found
Options parse_options(const std::vector<std::string>& words, int n_types);

}  // namespace glassml
