// Positions averaged over a window of samples, and the vibrations around them. No LAMMPS, no MPI.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "cell.h"

namespace glassml {

/// The arithmetic of glassml/physics/averaging.py, where the equations are, for atoms that are
/// created and deleted, and that move from one domain to another.
///
/// All that belongs to an atom is one row of numbers, which the owner of the atoms moves together
/// with them. In place of the path and the drift, a row has the difference of the two: the mean
/// step of all atoms is subtracted from each step. An atom that is created within a window begins
/// to move with the others at its first sample, and its averages are over the samples that it has.
///
/// In a direction that is not periodic the length of the cell says nothing: LAMMPS fits it to the
/// atoms. Fractional coordinates are then lengths.
///
/// Order of calls: follow, then add for a sample; shift, vibration and energy at any time later.
class PositionWindow {
 public:
  static constexpr int kWidth = 17;  ///< numbers per atom

  /// Replaces each number by its sum over all domains.
  using Sum = std::function<void(std::span<double>)>;

  // ---- rows of atoms
  void grow(std::size_t n_atoms);              ///< rows that are added have no samples
  void clear(int atom);                        ///< the atom is new
  void copy(int from, int to);                 ///< the row of an atom
  int pack(int atom, double* buffer) const;    ///< writes kWidth numbers; @returns kWidth
  int unpack(int atom, const double* buffer);  ///< reads kWidth numbers; @returns kWidth
  double memory_usage() const;                 ///< bytes

  // ---- samples

  /// Begins a new window.
  void restart();

  /// @returns whether the window can be continued in this cell: it is near the one before
  bool is_near(const Cell& cell) const;

  /// Follows the atoms to where they are now. Collective.
  /// @param positions [n, 3] [length] of the first n atoms, any periodic images
  /// @param cell the present one, the same in all domains
  /// @throws std::runtime_error if the cell is not near the one before, in all domains
  void follow(std::span<const double> positions, const Cell& cell, const Sum& sum);

  /// Adds a sample, of where the atoms are since the last `follow`.
  /// @param energies [n] [energy], or empty
  void add(std::span<const double> energies);

  /// The same for those of the first n atoms that have no sample yet.
  void add_missing(std::size_t n, std::span<const double> energies);

  /// @returns number of samples of this window
  int n_samples() const { return n_samples_; }

  // ---- averages over the samples of an atom

  /// @returns [3] [length] from the present to the averaged position
  std::array<double, 3> shift(int atom) const;

  /// @returns rms distance from the averaged position [length]
  double vibration(int atom) const;

  /// @returns mean energy [energy]
  double energy(int atom) const;

 private:
  double* row(std::size_t atom) { return &rows_[atom * kWidth]; }
  const double* row(std::size_t atom) const { return &rows_[atom * kWidth]; }
  void follow_flip(const Matrix& vectors);
  static void add_sample(double* row, double energy);

  std::vector<double> rows_;   // [n_atoms, kWidth]
  std::vector<double> steps_;  // [n, 3] fractional, of the present call of follow
  Matrix vectors_{};           // of the last sample
  bool has_cell_ = false;
  int n_samples_ = 0;
  std::size_t n_ = 0;  // atoms of the last follow
};

}  // namespace glassml
