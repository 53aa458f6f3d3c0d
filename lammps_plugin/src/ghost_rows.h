// Which rows of the node state travel from owners to ghosts. No LAMMPS, no torch.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace glassml {

/// Ghosts reach as far as the forces, or the neighbour list, need them, which is farther than the
/// model sees: many are the sender of no edge. Before the steps of an evaluation each domain tells
/// the owners which of its ghosts it reads, and only these are sent.
///
/// Order of calls: require, then for every list of rows that is sent to a ghost range pack_marks
/// there and unpack_marks here, in the order of LAMMPS' reverse communication: the lists that are
/// sent first come last, for they may hold ghosts that are sent on. Then sent and received.
class GhostRows {
 public:
  /// Begins an evaluation.
  /// @param sender rows that are read
  /// @param n_all number of rows
  void require(std::span<const std::int64_t> sender, std::size_t n_all);

  /// Writes which of the rows from `first` on are needed, a number each.
  void pack_marks(int first, int n, double* buffer) const;

  /// Takes note of which rows of a list are needed where they are ghosts.
  /// @param list rows, known by its address from now on
  void unpack_marks(std::span<const int> list, const double* buffer);

  /// @returns the rows of a list that are sent, in its order
  std::span<const int> sent(const int* list) const;

  /// @returns the rows from `first` on that are received, in order
  std::vector<int> received(int first, int n) const;

 private:
  std::vector<char> needed_;                     // [n_all]
  std::map<const int*, std::vector<int>> sent_;  // by address of the list
};

}  // namespace glassml
