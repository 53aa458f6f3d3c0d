// The rows of atoms in the node state, and which rows are sent to ghosts. No LAMMPS, no torch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <unordered_map>
#include <vector>

namespace glassml {

/// Orders particles by their cells along a Z-order curve, so that consecutive particles are near
/// each other in space. What the edges of a few particles read then is in the caches, and a
/// particle takes the same time in a large system as in a small one.
/// @param positions [n, 3]; if not all are finite, the order is unchanged
/// @param size edge of a cell [length]
std::vector<int> near_order(std::span<const double> positions, double size);

/// The rows of the node state of one domain: first the own atoms, in the order given to arrange,
/// then atoms of other domains that are read by edges of this domain or forwarded by it.
///
/// LAMMPS has a ghost for every image of an atom, up to the range of the forces or of the neighbour
/// list, which is beyond the cutoff of the model. Here an image of an own atom shares the row of
/// that atom, all images of an atom of another domain share one row, and an atom that is neither
/// read nor forwarded has no row. Only atoms with a row are sent.
///
/// Order of calls: arrange; pack_owners and unpack_owners in LAMMPS' forward communication;
/// require; pack_marks and unpack_marks in its reverse communication, which treats the lists in
/// reverse order, as later lists may contain ghosts of earlier ones; then sent and received.
class StateRows {
 public:
  /// @param rank number of this domain
  explicit StateRows(int rank) : rank_(rank) {}

  /// Begins an evaluation.
  /// @param order [n_local] own atom of each row
  /// @param n_all number of own atoms and ghosts
  void arrange(std::vector<int> order, std::size_t n_all);

  /// @returns [n_local] own atom of each row
  std::span<const int> atoms() const { return atoms_; }

  /// @returns number of rows; known after the last unpack_marks
  std::int64_t n_rows() const { return n_rows_; }

  /// Writes the owner of each atom of a list, one number per atom.
  void pack_owners(std::span<const int> list, double* buffer) const;

  /// Reads the owners of the ghosts from `first` on.
  void unpack_owners(int first, int n, const double* buffer);

  /// Replaces ghosts among the senders of edges by their rows.
  /// @param sender own rows, or ghosts by their index among all atoms
  void require(std::span<std::int64_t> sender);

  /// Writes whether each of the ghosts from `first` on must be sent here, one number per ghost.
  void pack_marks(int first, int n, double* buffer) const;

  /// Reads which atoms of a list must be sent to where they are ghosts.
  /// @param list atoms; sent() finds the list by its address
  void unpack_marks(std::span<const int> list, const double* buffer);

  double memory_usage() const;  ///< bytes

  /// @returns the rows of a list that are sent, in its order
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
