#include "state_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace glassml {

namespace {

// An owner is rank * kIndices + index, which a double represents exactly.
constexpr std::int64_t kIndices = std::int64_t{1} << 32;

constexpr int kBits = 21;  // of a cell index in each dimension; three of them make a 64-bit key

/// Puts two zeros between the bits of a number.
std::uint64_t spread(std::uint64_t number) {
  std::uint64_t result = 0;
  for (int bit = 0; bit < kBits; bit++) result |= (number >> bit & 1) << 3 * bit;
  return result;
}

}  // namespace

std::vector<int> near_order(std::span<const double> positions, double size) {
  const std::size_t n = positions.size() / 3;
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  if (!std::all_of(positions.begin(), positions.end(), [](double x) { return std::isfinite(x); }))
    return order;
  double low[3];
  for (int d = 0; d < 3; d++) {
    low[d] = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < n; i++) low[d] = std::min(low[d], positions[3 * i + d]);
  }
  constexpr double kLast = (1 << kBits) - 1;
  std::vector<std::pair<std::uint64_t, int>> keys(n);
  for (std::size_t i = 0; i < n; i++) {
    keys[i].second = static_cast<int>(i);
    for (int d = 0; d < 3; d++) {
      const double cell = std::min((positions[3 * i + d] - low[d]) / size, kLast);
      keys[i].first |= spread(static_cast<std::uint64_t>(cell)) << d;
    }
  }
  std::sort(keys.begin(), keys.end());
  std::transform(keys.begin(), keys.end(), order.begin(), [](auto& key) { return key.second; });
  return order;
}

void StateRows::arrange(std::vector<int> order, std::size_t n_all) {
  atoms_ = std::move(order);
  n_rows_ = static_cast<std::int64_t>(atoms_.size());
  rows_.assign(n_all, -1);
  owners_.assign(n_all, 0);
  needed_.assign(n_all, 0);
  foreign_.clear();
  sent_.clear();
  for (int row = 0; row < n_rows_; row++) {
    rows_[atoms_[row]] = row;
    owners_[atoms_[row]] = rank_ * kIndices + atoms_[row];
  }
}

void StateRows::pack_owners(std::span<const int> list, double* buffer) const {
  for (const int atom : list) *buffer++ = static_cast<double>(owners_[atom]);
}

void StateRows::unpack_owners(int first, int n, const double* buffer) {
  for (int k = 0; k < n; k++) owners_[first + k] = static_cast<std::int64_t>(buffer[k]);
}

void StateRows::require(std::span<std::int64_t> sender) {
  const auto n_local = static_cast<std::int64_t>(atoms_.size());
  for (std::int64_t& atom : sender)
    if (atom >= n_local) atom = row_of(static_cast<int>(atom));
}

/// Whether an atom belongs to this domain or is an image of one that does.
bool StateRows::is_own(int atom) const { return owners_[atom] / kIndices == rank_; }

/// The row of an atom. A ghost that gets a new row must be sent here.
int StateRows::row_of(int atom) {
  int& row = rows_[atom];
  if (row >= 0) return row;
  if (is_own(atom)) return row = rows_[owners_[atom] % kIndices];
  const auto [entry, is_new] = foreign_.try_emplace(owners_[atom], static_cast<int>(n_rows_));
  if (is_new) {
    n_rows_++;
    needed_[atom] = 1;
  }
  return row = entry->second;
}

void StateRows::pack_marks(int first, int n, double* buffer) const {
  for (int k = 0; k < n; k++) buffer[k] = needed_[first + k];
}

void StateRows::unpack_marks(std::span<const int> list, const double* buffer) {
  std::vector<int>& rows = sent_[list.data()];
  rows.clear();
  for (std::size_t k = 0; k < list.size(); k++) {
    if (buffer[k] == 0.0) continue;
    rows.push_back(row_of(list[k]));
    // A ghost that is forwarded must itself be received first: another image may arrive too late.
    if (!is_own(list[k])) needed_[list[k]] = 1;
  }
}

double StateRows::memory_usage() const {
  std::size_t integers = atoms_.capacity() + rows_.capacity();
  for (const auto& [list, rows] : sent_) integers += rows.capacity();
  return static_cast<double>(sizeof(int) * integers + sizeof(std::int64_t) * owners_.capacity() +
                             needed_.capacity());
}

std::span<const int> StateRows::sent(const int* list) const {
  const auto found = sent_.find(list);
  return found == sent_.end() ? std::span<const int>() : std::span<const int>(found->second);
}

std::vector<int> StateRows::received(int first, int n) const {
  std::vector<int> rows;
  rows.reserve(n);
  for (int atom = first; atom < first + n; atom++)
    if (needed_[atom]) rows.push_back(rows_[atom]);
  return rows;
}

}  // namespace glassml
