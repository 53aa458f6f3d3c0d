// Where the node states of atoms lie, and which travel from owners to ghosts. No LAMMPS, no torch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <unordered_map>
#include <vector>

namespace glassml {

/// Particles in an order in which those that follow each other are near each other: that of their
/// cells along a Z-shaped curve. What the edges of a few particles read then is in the caches, and
/// a particle costs the same in a large system as in a small one.
/// @param positions [n, 3]; where not all are finite the order is that of the particles
/// @param size of a cell [length]
std::vector<int> near_order(std::span<const double> positions, double size);

/// The rows of the node state of one domain: own atoms first, in an order of their own, then atoms
/// of other domains that edges read here or that are sent on.
///
/// LAMMPS has a ghost for every image of an atom, and has them as far as the forces or the
/// neighbour list reach, which is farther than the model sees. Here an image of an own atom is the
/// row of that atom, all images of an atom of another domain are one row, and an atom that is
/// neither read nor sent on has none. Only what has a row is sent.
///
/// Order of calls: arrange; pack_owners and unpack_owners by LAMMPS' forward communication;
/// require; pack_marks and unpack_marks by its reverse communication, in which the lists that are
/// sent first come last, for they may hold ghosts that are sent on. Then sent and received.
class StateRows {
 public:
  /// @param rank of this domain
  explicit StateRows(int rank) : rank_(rank) {}

  /// Begins an evaluation.
  /// @param order [n_local] the own atom of every row
  /// @param n_all number of own atoms and ghosts
  void arrange(std::vector<int> order, std::size_t n_all);

  /// @returns [n_local] the own atom of every row
  std::span<const int> atoms() const { return atoms_; }

  /// @returns number of rows; known after the last unpack_marks
  std::int64_t n_rows() const { return n_rows_; }

  /// Writes whose images the atoms of a list are, a number each.
  void pack_owners(std::span<const int> list, double* buffer) const;

  /// Takes note of whose images the ghosts from `first` on are.
  void unpack_owners(int first, int n, const double* buffer);

  /// Replaces the ghosts among the senders of edges by rows.
  /// @param sender own rows, and ghosts by their index among all atoms
  void require(std::span<std::int64_t> sender);

  /// Writes which of the ghosts from `first` on have to be sent here, a number each.
  void pack_marks(int first, int n, double* buffer) const;

  /// Takes note of which atoms of a list are needed where they are ghosts.
  /// @param list atoms, known by its address from now on
  void unpack_marks(std::span<const int> list, const double* buffer);

  double memory_usage() const;  ///< bytes

  /// @returns the rows that are sent of a list, in its order
  std::span<const int> sent(const int* list) const;

  /// @returns the rows that are received for the ghosts from `first` on, in order
  std::vector<int> received(int first, int n) const;

 private:
  bool is_own(int atom) const;
  int row_of(int atom);

  int rank_;
  std::int64_t n_rows_ = 0;
  std::vector<int> atoms_;                         // [n_local]
  std::vector<int> rows_;                          // [n_all] row of each atom, -1 for none
  std::vector<std::int64_t> owners_;               // [n_all] rank and index of the owner's atom
  std::vector<char> needed_;                       // [n_all] ghosts that have to be sent here
  std::unordered_map<std::int64_t, int> foreign_;  // rows of other domains' atoms, by owner
  std::map<const int*, std::vector<int>> sent_;    // by address of the list
};

}  // namespace glassml
