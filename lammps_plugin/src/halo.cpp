#include "halo.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <type_traits>

namespace glassml {

namespace {

constexpr int kTag = 5173;  // of all messages; those between two ranks arrive in order
constexpr std::size_t kLargestMessage = std::size_t{1} << 30;  // MPI counts bytes as int

// Fractional coordinates are rounded; images at the very border of a box must not be missed.
constexpr double kMargin = 1.0e-9;

// A position this many cells away has lost ten digits, and its box would meet all images.
constexpr double kFarthest = 1.0e6;

/// Which particles are moved into the cell: those beyond half a cell outside. Particles at the
/// border stay, so that the boxes of ranks stay small.
bool is_outside(double fractional) { return fractional < -0.5 || fractional > 1.5; }

double widened(double bound, double by) {
  return bound + by + std::copysign(kMargin, by) * (1.0 + std::abs(bound));
}

std::size_t sum(const std::vector<std::size_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::size_t{0});
}

}  // namespace

Halo::Halo(MPI_Comm ranks, double cutoff) : ranks_(ranks), cutoff_(cutoff) {
  MPI_Comm_rank(ranks_, &rank_);
  MPI_Comm_size(ranks_, &n_ranks_);
}

// ---- positions

void Halo::exchange_positions(std::span<const double> own, const Cell& cell) {
  set_cell(cell);
  place(own);
  share_boxes();
  source_.clear();
  outgoing_.clear();
  offered_.clear();
  n_outgoing_.assign(n_ranks_, 0);
  n_offered_.assign(n_ranks_, 0);
  for (int target = 0; target < n_ranks_; target++) select_images(target);
  receive_images();
}

void Halo::check() const {
  if (bad_) throw *bad_;
}

void Halo::check(std::span<const double> own, const Cell& cell) {
  set_cell(cell);
  place(own);
  check();
}

/// The length of a column of the inverse is one over the distance of two lattice planes.
void Halo::set_cell(const Cell& cell) {
  cell_ = cell;
  inverse_ = inverse(cell.vectors);
  for (int d = 0; d < 3; d++)
    reach_[d] = cutoff_ * std::hypot(inverse_[0][d], inverse_[1][d], inverse_[2][d]);
}

void Halo::place(std::span<const double> own) {
  n_own_ = static_cast<std::int64_t>(own.size() / 3);
  positions_.assign(own.begin(), own.end());
  fractional_.resize(own.size());
  placed_.resize(n_own_);
  bad_.reset();
  for (std::int64_t row = 0; row < n_own_; row++) placed_[row] = place_one(row);
}

/// Computes the fractional coordinates of an own particle and moves it if it is far outside.
/// @returns false for a bad position, which is remembered if it is the first
bool Halo::place_one(std::size_t row) {
  double* x = &positions_[3 * row];
  double* fractional = &fractional_[3 * row];
  int worst = 0;
  for (int k = 1; k < 3; k++)
    if (std::isfinite(x[worst]) && !(std::abs(x[k]) <= std::abs(x[worst]))) worst = k;
  bool good = true;
  for (int d = 0; d < 3; d++) {
    double& f = fractional[d];
    f = 0.0;
    for (int k = 0; k < 3; k++) f += (x[k] - cell_.origin[k]) * inverse_[k][d];
    good = good && std::isfinite(f) && (!cell_.periodic[d] || std::abs(f) < kFarthest);
  }
  if (!good) {
    if (bad_) return false;
    if (std::isfinite(x[worst]))
      bad_.emplace(row, worst, x[worst], "a position within a million cells of the periodic cell");
    else
      bad_.emplace(row, worst, x[worst]);
    return false;
  }
  for (int d = 0; d < 3; d++) {
    if (!cell_.periodic[d] || !is_outside(fractional[d])) continue;
    const double cells = std::floor(fractional[d]);
    fractional[d] -= cells;
    for (int k = 0; k < 3; k++) x[k] -= cells * cell_.vectors[d][k];
  }
  return true;
}

void Halo::share_boxes() {
  Box mine;
  for (int d = 0; d < 3; d++) {
    mine.low[d] = std::numeric_limits<double>::infinity();
    mine.high[d] = -mine.low[d];
    for (std::int64_t row = 0; row < n_own_; row++) {
      if (!placed_[row]) continue;
      mine.low[d] = std::min(mine.low[d], fractional_[3 * row + d]);
      mine.high[d] = std::max(mine.high[d], fractional_[3 * row + d]);
    }
  }
  static_assert(sizeof(Box) == 6 * sizeof(double));
  boxes_.resize(n_ranks_);
  MPI_Allgather(&mine, 6, MPI_DOUBLE, boxes_.data(), 6, MPI_DOUBLE, ranks_);
}

/// Selects the images of own particles that a rank, or this one itself, may need: those of all
/// translations by which the two boxes come within reach of each other.
void Halo::select_images(int target) {
  const Box& mine = boxes_[rank_];
  const Box& box = boxes_[target];
  if (mine.low[0] > mine.high[0] || box.low[0] > box.high[0]) return;
  std::array<double, 3> first{}, last{};
  for (int d = 0; d < 3; d++) {
    const double low = widened(box.low[d], -reach_[d]) - mine.high[d];
    const double high = widened(box.high[d], reach_[d]) - mine.low[d];
    if (cell_.periodic[d]) {
      first[d] = std::ceil(low);
      last[d] = std::floor(high);
    } else if (low > 0.0 || high < 0.0) {
      return;
    }
  }
  slot_.assign(n_own_, -1);
  std::array<double, 3> n;
  for (n[0] = first[0]; n[0] <= last[0]; n[0]++)
    for (n[1] = first[1]; n[1] <= last[1]; n[1]++)
      for (n[2] = first[2]; n[2] <= last[2]; n[2]++)
        if (target != rank_ || n[0] != 0.0 || n[1] != 0.0 || n[2] != 0.0)
          select_translation(target, n);
}

/// @param translation numbers of lattice vectors
void Halo::select_translation(int target, const std::array<double, 3>& translation) {
  double low[3], high[3], shift[3];
  for (int d = 0; d < 3; d++) {
    low[d] = widened(boxes_[target].low[d], -reach_[d]) - translation[d];
    high[d] = widened(boxes_[target].high[d], reach_[d]) - translation[d];
    shift[d] = 0.0;
    for (int k = 0; k < 3; k++) shift[d] += translation[k] * cell_.vectors[k][d];
  }
  for (std::int64_t row = 0; row < n_own_; row++) {
    const double* f = &fractional_[3 * row];
    bool within = placed_[row];
    for (int d = 0; d < 3; d++) within = within & (f[d] >= low[d]) & (f[d] <= high[d]);
    if (!within) continue;
    const double* x = &positions_[3 * row];
    const double image[3] = {x[0] + shift[0], x[1] + shift[1], x[2] + shift[2]};
    append_image(target, row, image);
  }
}

void Halo::append_image(int target, std::size_t row, const double* x) {
  if (target == rank_) {
    positions_.insert(positions_.end(), x, x + 3);
    source_.push_back(static_cast<std::int64_t>(row));
    return;
  }
  if (slot_[row] < 0) {
    slot_[row] = static_cast<std::int64_t>(n_offered_[target]++);
    offered_.push_back(static_cast<int>(row));
  }
  outgoing_.push_back({{x[0], x[1], x[2]}, slot_[row]});
  n_outgoing_[target]++;
}

void Halo::receive_images() {
  std::vector<long long> mine(2 * n_ranks_), theirs(2 * n_ranks_);
  for (int rank = 0; rank < n_ranks_; rank++) {
    mine[2 * rank] = static_cast<long long>(n_outgoing_[rank]);
    mine[2 * rank + 1] = static_cast<long long>(n_offered_[rank]);
  }
  MPI_Alltoall(mine.data(), 2, MPI_LONG_LONG, theirs.data(), 2, MPI_LONG_LONG, ranks_);
  n_incoming_.resize(n_ranks_);
  n_slots_.resize(n_ranks_);
  for (int rank = 0; rank < n_ranks_; rank++) {
    n_incoming_[rank] = static_cast<std::size_t>(theirs[2 * rank]);
    n_slots_[rank] = static_cast<std::size_t>(theirs[2 * rank + 1]);
  }
  static_assert(std::is_trivially_copyable_v<Image>);
  incoming_.resize(sum(n_incoming_));
  transfer(reinterpret_cast<std::byte*>(outgoing_.data()), n_outgoing_,
           reinterpret_cast<std::byte*>(incoming_.data()), n_incoming_, sizeof(Image));
  const Image* image = incoming_.data();
  std::int64_t first_slot = n_own_;
  for (int rank = 0; rank < n_ranks_; rank++) {
    for (std::size_t k = 0; k < n_incoming_[rank]; k++, image++) {
      positions_.insert(positions_.end(), image->x, image->x + 3);
      source_.push_back(first_slot + image->slot);
    }
    first_slot += static_cast<std::int64_t>(n_slots_[rank]);
  }
}

// ---- rows and states

void Halo::request(std::span<std::int64_t> sender) {
  number_rows(sender);
  std::vector<char> marks(offered_.size());
  transfer(reinterpret_cast<std::byte*>(wanted_.data()), n_slots_,
           reinterpret_cast<std::byte*>(marks.data()), n_offered_, 1);
  sent_.clear();
  n_sent_.assign(n_ranks_, 0);
  std::size_t entry = 0;
  for (int rank = 0; rank < n_ranks_; rank++) {
    for (std::size_t k = 0; k < n_offered_[rank]; k++, entry++) {
      if (!marks[entry]) continue;
      sent_.push_back(offered_[entry]);
      n_sent_[rank]++;
    }
  }
}

/// Gives a row to each particle of another rank that edges read, in the order of slots.
void Halo::number_rows(std::span<std::int64_t> sender) {
  wanted_.assign(sum(n_slots_), 0);
  for (std::int64_t& from : sender) {
    if (from >= n_own_) from = source_[from - n_own_];
    if (from >= n_own_) wanted_[from - n_own_] = 1;
  }
  received_.clear();
  n_received_.assign(n_ranks_, 0);
  std::vector<std::int64_t> row_of(wanted_.size(), -1);
  std::size_t slot = 0;
  for (int rank = 0; rank < n_ranks_; rank++) {
    for (std::size_t k = 0; k < n_slots_[rank]; k++, slot++) {
      if (!wanted_[slot]) continue;
      row_of[slot] = n_rows();
      received_.push_back(static_cast<int>(row_of[slot]));
      n_received_[rank]++;
    }
  }
  for (std::int64_t& from : sender)
    if (from >= n_own_) from = row_of[from - n_own_];
}

std::span<const std::byte> Halo::exchange_states(std::span<std::byte> states,
                                                 std::size_t row_bytes) {
  state_buffer_.resize(received_.size() * row_bytes);
  transfer(states.data(), n_sent_, state_buffer_.data(), n_received_, row_bytes);
  return state_buffer_;
}

// ---- messages

/// Sends consecutive parts of a buffer to the ranks and receives such parts from them. Both sides
/// know the counts, so ranks that have nothing for each other exchange no message.
void Halo::transfer(std::byte* send, const Counts& n_send, std::byte* receive,
                    const Counts& n_receive, std::size_t item_bytes) const {
  std::vector<MPI_Request> requests;
  const auto for_pieces = [](std::size_t bytes, auto&& call) {
    for (std::size_t done = 0; done < bytes; done += kLargestMessage)
      call(done, static_cast<int>(std::min(kLargestMessage, bytes - done)));
  };
  for (int rank = 0; rank < n_ranks_; rank++) {
    const std::size_t bytes = n_receive[rank] * item_bytes;
    for_pieces(bytes, [&](std::size_t begin, int length) {
      MPI_Irecv(receive + begin, length, MPI_BYTE, rank, kTag, ranks_, &requests.emplace_back());
    });
    receive += bytes;
  }
  for (int rank = 0; rank < n_ranks_; rank++) {
    const std::size_t bytes = n_send[rank] * item_bytes;
    for_pieces(bytes, [&](std::size_t begin, int length) {
      MPI_Isend(send + begin, length, MPI_BYTE, rank, kTag, ranks_, &requests.emplace_back());
    });
    send += bytes;
  }
  std::vector<MPI_Status> statuses(requests.size());
  MPI_Waitall(static_cast<int>(requests.size()), requests.data(), statuses.data());
}

double Halo::memory_usage() const {
  const std::size_t numbers = positions_.capacity() + fractional_.capacity();
  const std::size_t integers = source_.capacity() + slot_.capacity();
  const std::size_t rows = offered_.capacity() + sent_.capacity() + received_.capacity();
  return static_cast<double>(sizeof(double) * numbers + sizeof(std::int64_t) * integers +
                             sizeof(int) * rows +
                             sizeof(Image) * (outgoing_.capacity() + incoming_.capacity()) +
                             placed_.capacity() + wanted_.capacity() + state_buffer_.capacity());
}

}  // namespace glassml
