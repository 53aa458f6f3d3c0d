// Edges of the environment graph from positions of own particles and images. No LAMMPS, no torch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "cell_list.h"

namespace glassml {

/// Edges from a sender to a receiver, sorted by receiver. Receivers are the first n_local rows, a
/// sender is any row (own particle or image). Every image of a neighbour within the cutoff is a row
/// and has an edge of its own.
struct Edges {
  std::vector<std::int64_t> sender;      ///< [E] row of the sender
  std::vector<std::int64_t> first_edge;  ///< [n_local + 1] first edge of each receiver, then E
  std::vector<double> vector;            ///< [E, 3] x_sender - x_receiver [length]

  std::size_t size() const { return sender.size(); }
};

/// A coordinate that no model can be evaluated at. An engine that names its particles in another
/// way than by row gives the name to text().
class BadPosition : public std::runtime_error {
 public:
  BadPosition(std::size_t row, int axis, double value,
              const std::string& expected = "a finite number");

  std::size_t row() const { return row_; }  ///< of the particle

  /// @param particle the engine's name of the particle, such as "atom 17"
  std::string text(const std::string& particle) const;

 private:
  std::size_t row_;
  int axis_;
  double value_;
  std::string expected_;
};

/// Finds all pairs closer than a cutoff.
///
/// LAMMPS' own neighbour lists are not used. They lack the pairs that neigh_modify exclude and
/// special_bonds remove from the *forces*, which a model of the *structure* must see. And an
/// occasional list is built only once between two reneighbourings, from positions that may be older
/// than those of the evaluation.
class EdgeFinder {
 public:
  explicit EdgeFinder(double cutoff) : cells_(cutoff) {}

  /// @param positions [n_all, 3] own particles first, then images [length]
  /// @param n_local number of own particles
  /// @param threads that search; the result does not depend on it
  /// @throws BadPosition for a position that is not finite
  const Edges& find(std::span<const double> positions, std::int64_t n_local, int threads = 1);

  /// @returns the last result of find; Halo::request turns senders into rows of the node state
  Edges& edges() { return edges_; }

  double memory_usage() const;  ///< bytes

 private:
  CellList cells_;
  Edges edges_;
};

}  // namespace glassml
