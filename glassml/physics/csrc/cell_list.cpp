#include "cell_list.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <mutex>
#include <system_error>
#include <thread>

namespace glassml {

namespace {

// Cells are a little wider than the cutoff, so that two particles within the cutoff are in the same
// or in adjacent cells also when positions and cell indices are rounded.
constexpr double kCellMargin = 1.0 + 1.0e-6;
// Pairs so near to the cutoff are looked at once more, with the digits that decide.
constexpr double kDoubt = 1.0e-6;
constexpr std::int64_t kReceiversPerThread = 256;  // fewer are done before a thread has started

std::array<std::int64_t, 3> cell_of(const double* x, const double* low, const double* inverse_size,
                                    const std::int64_t* cells) {
  std::array<std::int64_t, 3> cell;
  for (int d = 0; d < 3; d++) {
    const auto index = static_cast<std::int64_t>((x[d] - low[d]) * inverse_size[d]);
    cell[d] = std::clamp<std::int64_t>(index, 0, cells[d] - 1);
  }
  return cell;
}

}  // namespace

/// What one thread needs to find the senders of a receiver.
class CellList::Search {
 public:
  explicit Search(const CellList& list)
      : list_(list),
        surely_(list.cutoff_ * list.cutoff_ * (1.0 - kDoubt)),
        perhaps_(list.cutoff_ * list.cutoff_ * (1.0 + kDoubt)) {}

  std::int64_t count(std::int64_t receiver) {
    std::int64_t found = -1;  // without itself
    for_each_run(receiver, [&](std::int64_t begin, std::int64_t end) {
      const std::size_t n = distances(begin, end, receiver);
      std::int64_t surely = 0, perhaps = 0;
      for (std::size_t k = 0; k < n; k++) {
        surely += distance_[k] < surely_ ? 1 : 0;
        perhaps += distance_[k] < perhaps_ ? 1 : 0;
      }
      found += surely;
      for (std::size_t k = 0; perhaps > surely && k < n; k++)
        if (distance_[k] >= surely_ && distance_[k] < perhaps_)
          found += is_near(difference(begin + static_cast<std::int64_t>(k), receiver)) ? 1 : 0;
    });
    return found;
  }

  void fill(std::int64_t receiver, std::int64_t* sender, double* vector) {
    for_each_run(receiver, [&](std::int64_t begin, std::int64_t end) {
      const std::size_t n = distances(begin, end, receiver);
      std::size_t near = 0;
      for (std::size_t k = 0; k < n; k++) {
        near_[near] = begin + static_cast<std::int64_t>(k);
        near += distance_[k] < perhaps_ ? 1 : 0;
      }
      for (std::size_t k = 0; k < near; k++) {
        const std::int64_t entry = near_[k];
        const Difference d = difference(entry, receiver);
        if (!is_near(d) || list_.rows_[entry] == receiver) continue;
        *sender++ = list_.sender_[entry];
        *vector++ = d.x;
        *vector++ = d.y;
        *vector++ = d.z;
      }
    });
  }

 private:
  struct Difference {
    double x, y, z;
  };

  /// Calls visit for the runs of entries in the cell of a receiver and in the 26 around it: cells
  /// that follow each other in the third dimension are contiguous.
  template <class Visit>
  void for_each_run(std::int64_t receiver, Visit visit) const {
    const Grid& grid = list_.grid_;
    const auto cell =
        cell_of(&list_.positions_[3 * receiver], grid.low, grid.inverse_size, grid.cells);
    std::int64_t low[3], high[3];
    for (int d = 0; d < 3; d++) {
      low[d] = std::max<std::int64_t>(cell[d] - 1, 0);
      high[d] = std::min<std::int64_t>(cell[d] + 1, grid.cells[d] - 1);
    }
    for (std::int64_t a = low[0]; a <= high[0]; a++) {
      for (std::int64_t b = low[1]; b <= high[1]; b++) {
        const std::int64_t line = (a * grid.cells[1] + b) * grid.cells[2];
        visit(list_.first_entry_[line + low[2]], list_.first_entry_[line + high[2] + 1]);
      }
    }
  }

  /// Squared distances from the receiver to a run of entries. No loop over all of them has a
  /// branch, as the processor cannot predict which pairs are within the cutoff.
  /// @returns the number of entries
  std::size_t distances(std::int64_t begin, std::int64_t end, std::int64_t receiver) {
    const auto n = static_cast<std::size_t>(end - begin);
    if (near_.size() < n) {
      distance_.resize(n);
      near_.resize(n);
    }
    const double* const center = &list_.positions_[3 * receiver];
    const double* const x = list_.x_.data() + begin;
    const double* const y = list_.y_.data() + begin;
    const double* const z = list_.z_.data() + begin;
    double* const distance = distance_.data();
    for (std::size_t k = 0; k < n; k++) {
      const double dx = x[k] - center[0];
      const double dy = y[k] - center[1];
      const double dz = z[k] - center[2];
      distance[k] = dx * dx + dy * dy + dz * dz;
    }
    return n;
  }

  /// x_sender - x_receiver. With images, opposite pairs have opposite ones, to the last bit.
  Difference difference(std::int64_t entry, std::int64_t receiver) const {
    const ImageRows* images = list_.images_;
    if (images == nullptr) {
      const double* const center = &list_.positions_[3 * receiver];
      return {list_.x_[entry] - center[0], list_.y_[entry] - center[1],
              list_.z_[entry] - center[2]};
    }
    const double* const of_sender = &images->positions[3 * list_.sender_[entry]];
    const double* const of_receiver = &images->positions[3 * receiver];
    const auto& cell = images->cell;
    const auto &to = list_.offset_[entry], &from = images->offset[receiver];
    const double a = to[0] - from[0], b = to[1] - from[1], c = to[2] - from[2];
    return {of_sender[0] - of_receiver[0] + (a * cell[0] + b * cell[3] + c * cell[6]),
            of_sender[1] - of_receiver[1] + (a * cell[1] + b * cell[4] + c * cell[7]),
            of_sender[2] - of_receiver[2] + (a * cell[2] + b * cell[5] + c * cell[8])};
  }

  bool is_near(const Difference& d) const {
    return d.x * d.x + d.y * d.y + d.z * d.z < list_.cutoff_ * list_.cutoff_;
  }

  const CellList& list_;
  double surely_, perhaps_;         // squared distances below which pairs are within the cutoff
  std::vector<double> distance_;    // squared, from the receiver to a run of entries
  std::vector<std::int64_t> near_;  // entries that are perhaps within the cutoff
};

void CellList::bin(std::span<const double> positions, std::int64_t n_receivers,
                   const ImageRows* images) {
  positions_ = positions;
  images_ = images;
  first_edge_.assign(n_receivers + 1, 0);
  receivers_.clear();
  if (n_receivers == 0) return;
  grid_ = grid_round();

  // Counting sort by cell.
  const std::size_t n_rows = positions.size() / 3;
  const std::int64_t n_cells = grid_.cells[0] * grid_.cells[1] * grid_.cells[2];
  cell_of_.assign(n_rows, -1);
  first_entry_.assign(n_cells + 1, 0);
  for (std::size_t row = 0; row < n_rows; row++) {
    const double* x = &positions[3 * row];
    bool within = true;
    for (int d = 0; d < 3; d++) {
      const double scaled = (x[d] - grid_.low[d]) * grid_.inverse_size[d];
      within = within && scaled >= 0.0 && scaled <= static_cast<double>(grid_.cells[d]);
    }
    if (!within) continue;
    const auto cell = cell_of(x, grid_.low, grid_.inverse_size, grid_.cells);
    cell_of_[row] = (cell[0] * grid_.cells[1] + cell[1]) * grid_.cells[2] + cell[2];
    first_entry_[cell_of_[row] + 1]++;
  }
  for (std::int64_t cell = 0; cell < n_cells; cell++) first_entry_[cell + 1] += first_entry_[cell];

  rows_.resize(first_entry_[n_cells]);
  x_.resize(rows_.size());
  y_.resize(rows_.size());
  z_.resize(rows_.size());
  sender_.resize(rows_.size());
  offset_.resize(images == nullptr ? 0 : rows_.size());
  std::vector<std::int64_t> next(first_entry_.begin(), first_entry_.end() - 1);
  for (std::size_t row = 0; row < n_rows; row++) {
    if (cell_of_[row] < 0) continue;
    const std::int64_t entry = next[cell_of_[row]]++;
    rows_[entry] = static_cast<std::int64_t>(row);
    x_[entry] = positions[3 * row];
    y_[entry] = positions[3 * row + 1];
    z_[entry] = positions[3 * row + 2];
    sender_[entry] = images == nullptr ? static_cast<std::int64_t>(row) : images->particle[row];
    if (images != nullptr) offset_[entry] = images->offset[row];
  }
  receivers_.reserve(n_receivers);
  for (const std::int64_t row : rows_)
    if (row < n_receivers) receivers_.push_back(row);
}

/// The bounding box of the receivers, extended by the cutoff: no edge reaches beyond it.
CellList::Grid CellList::grid_round() const {
  const double size = cutoff_ * kCellMargin;
  const double allowed = 4.0 * static_cast<double>(positions_.size() / 3) + 64.0;
  const auto n_receivers = static_cast<std::int64_t>(first_edge_.size()) - 1;
  Grid grid;
  double extent[3];
  double cells[3];
  for (int d = 0; d < 3; d++) {
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    for (std::int64_t i = 0; i < n_receivers; i++) {
      low = std::min(low, positions_[3 * i + d]);
      high = std::max(high, positions_[3 * i + d]);
    }
    grid.low[d] = low - size;
    extent[d] = high - low + 2.0 * size;
    cells[d] = std::clamp(std::floor(extent[d] / size), 1.0, allowed);
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

const std::vector<std::int64_t>& CellList::count(int threads) {
  search(threads, [this](Search& search, std::int64_t receiver) {
    first_edge_[receiver + 1] = search.count(receiver);
  });
  for (std::size_t i = 1; i < first_edge_.size(); i++) first_edge_[i] += first_edge_[i - 1];
  return first_edge_;
}

void CellList::fill(int threads, std::int64_t* sender, double* vector) const {
  search(threads, [=, this](Search& search, std::int64_t receiver) {
    const std::int64_t first = first_edge_[receiver];
    search.fill(receiver, sender + first, vector + 3 * first);
  });
}

/// Calls visit for each receiver. Parts of the receivers have threads of their own; an exception of
/// one of them, for lack of memory, is thrown here.
template <class Visit>
void CellList::search(int threads, Visit visit) const {
  const auto n = static_cast<std::int64_t>(receivers_.size());
  const std::int64_t parts =
      std::clamp<std::int64_t>(n / kReceiversPerThread, 1, std::max(threads, 1));
  std::exception_ptr failure;
  std::mutex failing;
  const auto run = [&](std::int64_t part) {
    try {
      Search search(*this);
      for (std::int64_t k = n * part / parts; k < n * (part + 1) / parts; k++)
        visit(search, receivers_[k]);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(failing);
      failure = std::current_exception();
    }
  };
  std::vector<std::jthread> others;
  for (std::int64_t part = 1; part < parts; part++) {
    try {
      others.emplace_back(run, part);
    } catch (const std::system_error&) {  // no more threads
      run(part);
    }
  }
  run(0);
  others.clear();  // waits for them
  if (failure) std::rethrow_exception(failure);
}

double CellList::memory_usage() const {
  const std::size_t integers = cell_of_.capacity() + first_entry_.capacity() + rows_.capacity() +
                               sender_.capacity() + receivers_.capacity() + first_edge_.capacity();
  const std::size_t numbers = x_.capacity() + y_.capacity() + z_.capacity();
  return static_cast<double>(sizeof(std::int64_t) * integers + sizeof(double) * numbers +
                             sizeof(offset_[0]) * offset_.capacity());
}

}  // namespace glassml
