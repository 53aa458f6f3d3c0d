// Whether a system is like the training data of a model. No LAMMPS, no torch.
//
// The definitions and limits are those of glassml/domain (structure.py, checks.py);
// tests/lammps/test_fix_domain.py compares the two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "edges.h"
#include "manifest.h"

namespace glassml {

/// "1.19 to 1.21", or one number if both are the same in four digits.
std::string range_text(const Range& known);

/// Refuses lengths with which particles would have absurdly many neighbours, before memory is taken
/// for them. Python does the same (glassml/physics/neighbours.py).
/// @param n_atoms number of atoms in a box of this volume
/// @throws std::runtime_error they would
void check_number_of_neighbours(const Manifest& manifest, double n_atoms, double volume);

/// What is known of a three-dimensional system besides its neighbours.
struct SystemState {
  bool periodic = true;               ///< in all directions
  double volume = 0.0;                ///< [length^3], used if it is periodic
  std::optional<double> temperature;  ///< as in the domain of the model
};

/// Counts neighbours in shells, and finds the quantities in which a system lies clearly outside the
/// domain of a model. It is silent if the model has no domain.
class DomainWatch {
 public:
  explicit DomainWatch(const Manifest& manifest);

  /// Numbers that count() gives; 0 if the model has no domain.
  std::size_t n_counts() const { return n_counts_; }

  /// Adds the particles of each species and the edges of each pair of species in each shell.
  /// @param species [rows of the node state]
  /// @param n_local number of receivers
  /// @param counts [n_counts()]
  void count(const Edges& edges, std::span<const std::int32_t> species, std::size_t n_local,
             double* counts) const;

  /// @param counts [n_counts()] of the whole system, which has particles
  /// @returns the quantities of which there was no warning yet, with both values; empty: none
  std::string news(const double* counts, const SystemState& state);

  /// Whether the range of the labels is known.
  bool knows_labels() const { return manifest_.domain && !manifest_.domain->propensity.empty(); }

  /// Compares predictions with the labels that the model learnt from.
  /// @param least [T] of all atoms, at each time
  /// @param largest [T]
  /// @returns the times at which some are far outside, of which there was no warning yet, with both
  ///   values; empty: none
  std::string news_of_predictions(const std::vector<double>& least,
                                  const std::vector<double>& largest);

 private:
  struct Outside {
    std::string quantity, expected, found;
  };

  std::vector<Outside> state(double n, double neighbours, const SystemState& state) const;
  std::vector<Outside> composition(const double* counts, double n) const;
  std::vector<Outside> structure(const double* counts, double n) const;

  Manifest manifest_;
  std::size_t n_species_ = 0;
  std::size_t n_counts_ = 0;
  std::set<std::string> said_;
};

}  // namespace glassml
