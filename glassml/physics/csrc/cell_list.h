// The neighbour search of Python and LAMMPS: pairs closer than a cutoff, found by binning.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace glassml {

/// Rows that are images of particles in a periodic cell: what the exact differences are made of.
struct ImageRows {
  std::span<const double> positions;                ///< [N, 3] of the particles, not wrapped
  std::array<double, 9> cell{};                     ///< lattice vectors in rows
  std::vector<std::int64_t> particle;               ///< [rows]
  std::vector<std::array<std::int32_t, 3>> offset;  ///< [rows] lattice vectors from particle to row
};

/// Finds the rows within a cutoff of the first rows. It needs neither LAMMPS nor torch.
///
/// A row is a particle, or an image of one. The first `n_receivers` rows are receivers; a sender is
/// any row. Every image of a neighbour is a row and a sender of its own.
///
/// First `bin`, then `count`, then `fill`. The order of the senders of a receiver depends on the
/// positions alone, not on the number of threads.
class CellList {
 public:
  explicit CellList(double cutoff) : cutoff_(cutoff) {}

  /// Sorts the rows into cells.
  /// @param positions [rows, 3] [length], finite; must live until `fill` is done
  /// @param images of the rows; null: x_sender - x_receiver is the difference of their positions
  void bin(std::span<const double> positions, std::int64_t n_receivers,
           const ImageRows* images = nullptr);

  /// Counts the senders of each receiver.
  /// @returns [n_receivers + 1] the first edge of each receiver, then the number of edges E
  const std::vector<std::int64_t>& count(int threads);

  /// Writes the edges that were counted, sorted by receiver.
  /// @param sender [E] rows, or particles if there are images
  /// @param vector [E, 3] x_sender - x_receiver [length]
  void fill(int threads, std::int64_t* sender, double* vector) const;

  const std::vector<std::int64_t>& first_edge() const { return first_edge_; }
  double memory_usage() const;  ///< bytes

 private:
  struct Grid {
    double low[3];
    double inverse_size[3];
    std::int64_t cells[3];
  };
  class Search;

  Grid grid_round() const;
  template <class Visit>
  void search(int threads, Visit visit) const;

  double cutoff_;
  Grid grid_{};
  std::span<const double> positions_;
  const ImageRows* images_ = nullptr;
  // Entries are rows sorted by cell, without those out of reach.
  std::vector<std::int64_t> cell_of_;                // [rows] cell of each row, -1 if out of reach
  std::vector<std::int64_t> first_entry_;            // [cells + 1] of each cell
  std::vector<std::int64_t> rows_;                   // row of each entry
  std::vector<double> x_, y_, z_;                    // coordinates of each entry
  std::vector<std::int64_t> sender_;                 // of each entry: its row, or its particle
  std::vector<std::array<std::int32_t, 3>> offset_;  // of each entry, if there are images
  std::vector<std::int64_t> receivers_;   // in the order of entries, so near ones are in the caches
  std::vector<std::int64_t> first_edge_;  // [n_receivers + 1]
};

}  // namespace glassml
