#include "edges.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <sstream>

namespace glassml {

namespace {

// Cells are a little wider than the cutoff, so that two particles within the cutoff are in the same
// or in adjacent cells also when a cell index is rounded.
constexpr double kCellMargin = 1.0 + 1.0e-9;

std::array<std::int64_t, 3> cell_of(const double* x, const double* low, const double* inverse_size,
                                    const std::int64_t* cells) {
  std::array<std::int64_t, 3> cell;
  for (int d = 0; d < 3; d++) {
    const auto index = static_cast<std::int64_t>((x[d] - low[d]) * inverse_size[d]);
    cell[d] = std::clamp<std::int64_t>(index, 0, cells[d] - 1);
  }
  return cell;
}

void check_finite(std::span<const double> positions) {
  for (std::size_t k = 0; k < positions.size(); k++)
    if (!std::isfinite(positions[k]))
      throw BadPosition(k / 3, static_cast<int>(k % 3), positions[k]);
}

std::string describe(const std::string& particle, int axis, double value,
                     const std::string& expected) {
  std::ostringstream text;
  text << "position " << "xyz"[axis] << " of " << particle << ": expected " << expected
       << "; found " << value << ": the simulation is unstable";
  return text.str();
}

}  // namespace

BadPosition::BadPosition(std::size_t row, int axis, double value, const std::string& expected)
    : std::runtime_error(
          describe("the particle in row " + std::to_string(row), axis, value, expected)),
      row_(row),
      axis_(axis),
      value_(value),
      expected_(expected) {}

std::string BadPosition::text(const std::string& particle) const {
  return describe(particle, axis_, value_, expected_);
}

const Edges& EdgeFinder::find(std::span<const double> positions, std::int64_t n_local) {
  check_finite(positions);
  edges_.sender.clear();
  edges_.vector.clear();
  edges_.first_edge.assign(1, 0);
  if (n_local == 0) return edges_;

  const Grid grid = grid_round(positions, n_local);
  bin(grid, positions);
  edges_.first_edge.reserve(n_local + 1);
  for (std::int64_t i = 0; i < n_local; i++) {
    connect(grid, positions.data(), i);
    edges_.first_edge.push_back(static_cast<std::int64_t>(edges_.size()));
  }
  return edges_;
}

/// The bounding box of the own particles, extended by the cutoff: no edge reaches beyond it.
EdgeFinder::Grid EdgeFinder::grid_round(std::span<const double> positions,
                                        std::int64_t n_local) const {
  const double size = cutoff_ * kCellMargin;
  const double allowed = 4.0 * static_cast<double>(positions.size() / 3) + 64.0;
  Grid grid;
  double extent[3];
  double cells[3];
  for (int d = 0; d < 3; d++) {
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    for (std::int64_t i = 0; i < n_local; i++) {
      low = std::min(low, positions[3 * i + d]);
      high = std::max(high, positions[3 * i + d]);
    }
    grid.low[d] = low - size;
    extent[d] = high - low + 2.0 * size;
    cells[d] = std::max(1.0, std::floor(extent[d] / size));
  }
  // A few particles far apart must not take much memory: then the cells are made wider.
  while (cells[0] * cells[1] * cells[2] > allowed) {
    double& most = *std::max_element(cells, cells + 3);
    most = std::ceil(0.5 * most);
  }
  for (int d = 0; d < 3; d++) {
    grid.cells[d] = static_cast<std::int64_t>(cells[d]);
    grid.inverse_size[d] = cells[d] / extent[d];
  }
  return grid;
}

/// Sorts the rows by cell (counting sort).
void EdgeFinder::bin(const Grid& grid, std::span<const double> positions) {
  const std::size_t n_all = positions.size() / 3;
  const std::int64_t n_cells = grid.cells[0] * grid.cells[1] * grid.cells[2];
  cell_of_.assign(n_all, -1);
  first_row_.assign(n_cells + 1, 0);
  for (std::size_t row = 0; row < n_all; row++) {
    const double* x = &positions[3 * row];
    bool within = true;
    for (int d = 0; d < 3; d++) {
      const double scaled = (x[d] - grid.low[d]) * grid.inverse_size[d];
      within = within && scaled >= 0.0 && scaled <= static_cast<double>(grid.cells[d]);
    }
    if (!within) continue;
    const auto cell = cell_of(x, grid.low, grid.inverse_size, grid.cells);
    cell_of_[row] = (cell[0] * grid.cells[1] + cell[1]) * grid.cells[2] + cell[2];
    first_row_[cell_of_[row] + 1]++;
  }
  for (std::int64_t cell = 0; cell < n_cells; cell++) first_row_[cell + 1] += first_row_[cell];

  rows_.resize(first_row_[n_cells]);
  std::vector<std::int64_t> next(first_row_.begin(), first_row_.end() - 1);
  x_.resize(rows_.size());
  y_.resize(rows_.size());
  z_.resize(rows_.size());
  for (std::size_t row = 0; row < n_all; row++) {
    if (cell_of_[row] < 0) continue;
    const std::int64_t entry = next[cell_of_[row]]++;
    rows_[entry] = static_cast<std::int64_t>(row);
    x_[entry] = positions[3 * row];
    y_[entry] = positions[3 * row + 1];
    z_[entry] = positions[3 * row + 2];
  }
}

/// Appends the edges of one receiver: senders in its cell and in the 26 cells around it.
void EdgeFinder::connect(const Grid& grid, const double* positions, std::int64_t receiver) {
  const double* center = positions + 3 * receiver;
  const auto cell = cell_of(center, grid.low, grid.inverse_size, grid.cells);
  std::int64_t low[3], high[3];
  for (int d = 0; d < 3; d++) {
    low[d] = std::max<std::int64_t>(cell[d] - 1, 0);
    high[d] = std::min<std::int64_t>(cell[d] + 1, grid.cells[d] - 1);
  }
  for (std::int64_t a = low[0]; a <= high[0]; a++) {
    for (std::int64_t b = low[1]; b <= high[1]; b++) {
      // Cells that follow each other in the third dimension are contiguous in rows_.
      const std::int64_t line = (a * grid.cells[1] + b) * grid.cells[2];
      for (const auto k : near(first_row_[line + low[2]], first_row_[line + high[2] + 1], center)) {
        if (rows_[k] == receiver) continue;
        edges_.sender.push_back(rows_[k]);
        edges_.vector.insert(edges_.vector.end(),
                             {x_[k] - center[0], y_[k] - center[1], z_[k] - center[2]});
      }
    }
  }
}

/// Entries of rows_ from `begin` to `end` that are within the cutoff of a point. Two loops without
/// branches, as the processor cannot predict which pairs are within the cutoff.
std::span<const std::int64_t> EdgeFinder::near(std::int64_t begin, std::int64_t end,
                                               const double* center) {
  const double cutoff_squared = cutoff_ * cutoff_;
  const auto n = static_cast<std::size_t>(end - begin);
  if (near_.size() < n) {
    distances_.resize(n);
    near_.resize(n);
  }
  for (std::size_t k = 0; k < n; k++) {
    const double dx = x_[begin + k] - center[0];
    const double dy = y_[begin + k] - center[1];
    const double dz = z_[begin + k] - center[2];
    distances_[k] = dx * dx + dy * dy + dz * dz;
  }
  std::size_t count = 0;
  for (std::size_t k = 0; k < n; k++) {
    near_[count] = begin + static_cast<std::int64_t>(k);
    count += distances_[k] < cutoff_squared ? 1 : 0;
  }
  return {near_.data(), count};
}

double EdgeFinder::memory_usage() const {
  const std::size_t integers = edges_.sender.capacity() + edges_.first_edge.capacity() +
                               cell_of_.capacity() + first_row_.capacity() + rows_.capacity() +
                               near_.capacity();
  const std::size_t numbers = edges_.vector.capacity() + x_.capacity() + y_.capacity() +
                              z_.capacity() + distances_.capacity();
  return static_cast<double>(sizeof(std::int64_t) * integers + sizeof(double) * numbers);
}

}  // namespace glassml
