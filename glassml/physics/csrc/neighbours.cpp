// The neighbour search for Python: a library that needs nothing else, called by ctypes.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cell_list.h"

namespace {

/// A search between the two calls: the caller makes room for the edges that were counted.
struct Found {
  explicit Found(double cutoff) : list(cutoff) {}

  glassml::ImageRows images;
  std::vector<double> rows;  // [rows, 3] positions: particles wrapped into the cell, then images
  glassml::CellList list;
  int threads = 1;
};

using Vector = std::array<double, 3>;

/// Wraps the particles into the cell and adds every image that is within the cutoff of it.
/// @param inverse [3, 3] of the cell: x times its columns are fractional coordinates
/// @param reach [3] the cutoff as a fraction of the height of the cell in each direction
void make_rows(Found& found, std::int64_t n, const double* inverse, const std::uint8_t* periodic,
               const double* reach) {
  auto& images = found.images;
  const auto& cell = images.cell;
  const auto add = [&](std::int64_t particle, const std::array<std::int32_t, 3>& offset) {
    images.particle.push_back(particle);
    images.offset.push_back(offset);
    for (int k = 0; k < 3; k++)
      found.rows.push_back(
          images.positions[3 * particle + k] +
          (offset[0] * cell[k] + offset[1] * cell[3 + k] + offset[2] * cell[6 + k]));
  };
  std::vector<Vector> fraction(n);
  for (std::int64_t i = 0; i < n; i++) {
    const double* x = &images.positions[3 * i];
    std::array<std::int32_t, 3> offset{};
    for (int d = 0; d < 3; d++) {
      const double f = x[0] * inverse[d] + x[1] * inverse[3 + d] + x[2] * inverse[6 + d];
      if (periodic[d]) offset[d] = -static_cast<std::int32_t>(std::floor(f));
      fraction[i][d] = f + offset[d];
    }
    add(i, offset);
  }
  for (std::int64_t i = 0; i < n; i++) {
    // The images f + s with -reach <= f + s <= 1 + reach.
    std::int32_t low[3]{}, high[3]{};
    for (int d = 0; d < 3; d++) {
      if (!periodic[d]) continue;
      low[d] = static_cast<std::int32_t>(std::ceil(-reach[d] - fraction[i][d]));
      high[d] = static_cast<std::int32_t>(std::floor(1.0 + reach[d] - fraction[i][d]));
    }
    const auto wrapped = images.offset[i];
    for (std::int32_t a = low[0]; a <= high[0]; a++)
      for (std::int32_t b = low[1]; b <= high[1]; b++)
        for (std::int32_t c = low[2]; c <= high[2]; c++)
          if (a != 0 || b != 0 || c != 0) add(i, {wrapped[0] + a, wrapped[1] + b, wrapped[2] + c});
  }
}

}  // namespace

extern "C" {

/// Finds and counts the pairs closer than a cutoff.
/// @param positions [n, 3], finite, within 1e6 cells of the origin; must live until fill is done
/// @param cell [3, 3] lattice vectors in rows
/// @param inverse [3, 3] of the cell
/// @param periodic [3]
/// @param reach [3] cutoff divided by the height of the cell in each direction
/// @param n_edges number of edges
/// @returns the search, for the other two functions; null if memory is lacking
__attribute__((visibility("default"))) void* glassml_neighbours_find(
    const double* positions, std::int64_t n, const double* cell, const double* inverse,
    const std::uint8_t* periodic, const double* reach, double cutoff, std::int32_t threads,
    std::int64_t* n_edges) try {
  auto found = std::make_unique<Found>(cutoff);
  found->threads = threads;
  found->images.positions = {positions, static_cast<std::size_t>(3 * n)};
  std::copy_n(cell, 9, found->images.cell.begin());
  make_rows(*found, n, inverse, periodic, reach);
  found->list.bin(found->rows, n, &found->images);
  *n_edges = found->list.count(found->threads).back();
  return found.release();
} catch (...) {
  return nullptr;
}

/// Writes the edges, sorted by receiver.
/// @param sender [E] particles
/// @param first_edge [n + 1] first edge of each receiver
/// @param vector [E, 3] x_sender - x_receiver
/// @returns 0; 1 if memory is lacking
__attribute__((visibility("default"))) std::int32_t glassml_neighbours_fill(void* search,
                                                                            std::int64_t* sender,
                                                                            std::int64_t* receiver,
                                                                            double* vector) try {
  const auto* found = static_cast<const Found*>(search);
  found->list.fill(found->threads, sender, vector);
  const auto& first = found->list.first_edge();
  for (std::size_t i = 0; i + 1 < first.size(); i++)
    std::fill(receiver + first[i], receiver + first[i + 1], static_cast<std::int64_t>(i));
  return 0;
} catch (...) {
  return 1;
}

__attribute__((visibility("default"))) void glassml_neighbours_free(void* search) {
  delete static_cast<Found*>(search);
}

}  // extern "C"
