// Mean and spread of the last evaluations of each atom. No LAMMPS, no torch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace glassml {

/// Keeps the last M evaluations of each atom, with the same number of values in each.
///
/// An evaluation without values for an atom is not added, and does not count. Every atom has its
/// own memory, so it does not matter when an atom was created, or on which rank it was.
class Smoothing {
 public:
  /// @param window M >= 1; 0: nothing is kept
  /// @param columns number of values of an evaluation
  Smoothing(int window, int columns);

  bool active() const { return window_ > 0; }

  /// Provides memory for n atoms; new ones have no evaluations yet.
  void grow(std::size_t n);

  /// Forgets the evaluations of an atom.
  void clear(std::size_t atom);

  void copy(std::size_t from, std::size_t to);

  /// Adds an evaluation. One of the same step replaces the last one: the simulation continues where
  /// it has stopped. An earlier step means that steps are counted anew: older values are forgotten.
  /// @param values [columns], replaced by their means over the last M evaluations
  /// @param spread [columns] is set to the population standard deviations; may be null
  void add(std::size_t atom, std::int64_t step, double* values, double* spread);

  /// The largest number of values that pack writes.
  int exchange_size() const;

  /// Writes what is kept of an atom. @returns the number of values written
  int pack(std::size_t atom, double* buffer) const;

  /// Reads what pack has written. @returns the number of values read
  int unpack(std::size_t atom, const double* buffer);

  double memory_usage() const;  ///< bytes

 private:
  struct Atom {
    std::int64_t added = 0;  ///< evaluations of different steps; the next goes to added % M
    std::int64_t step = 0;   ///< of the last one
  };

  std::size_t kept(const Atom& atom) const;
  double* slots(std::size_t atom) { return values_.data() + atom * window_ * columns_; }
  const double* slots(std::size_t atom) const { return values_.data() + atom * window_ * columns_; }

  std::size_t window_, columns_;
  std::vector<Atom> atoms_;
  std::vector<double> values_;  // [atoms, M, columns]
};

}  // namespace glassml
