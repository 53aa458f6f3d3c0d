// The columns of the per-atom array: outputs of the model, and what is made of them. No LAMMPS, no
// torch.
#pragma once

#include <string>
#include <vector>

#include "manifest.h"
#include "options.h"

namespace glassml {

struct OutputColumns {
  std::vector<OutputEntry> entries;     ///< in the order of the columns
  std::vector<std::string> from_model;  ///< those that the model computes
  std::vector<int> columns;             ///< per-atom column of each column of the model
  std::vector<std::string> names;       ///< [n_columns()] output and column, for messages
  int first_propensity = 0;             ///< per-atom column of the first propensity
  int n_propensity = 0;                 ///< 0 if the propensity is not among the outputs
  int first_spread = -1;                ///< of its spread over evaluations, or -1

  int n_columns() const { return static_cast<int>(names.size()); }
};

/// Finds the outputs that were asked for.
/// @throws std::runtime_error that names the keyword, what was expected and what was found
OutputColumns arrange_outputs(const Manifest& manifest, const Options& options);

/// The propensity above which an atom counts as mobile [length], 0 if there is none: the keyword,
/// or else the value for Lennard-Jones units.
/// @throws std::runtime_error if a keyword needs one and there is none
double mobility_threshold(const Manifest& manifest, const Options& options);

}  // namespace glassml
