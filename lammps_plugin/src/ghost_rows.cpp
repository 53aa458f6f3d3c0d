#include "ghost_rows.h"

namespace glassml {

void GhostRows::require(std::span<const std::int64_t> sender, std::size_t n_all) {
  sent_.clear();
  needed_.assign(n_all, 0);
  for (const std::int64_t row : sender) needed_[row] = 1;
}

void GhostRows::pack_marks(int first, int n, double* buffer) const {
  for (int k = 0; k < n; k++) buffer[k] = needed_[first + k];
}

void GhostRows::unpack_marks(std::span<const int> list, const double* buffer) {
  std::vector<int>& rows = sent_[list.data()];
  rows.clear();
  for (std::size_t k = 0; k < list.size(); k++) {
    if (buffer[k] == 0.0) continue;
    rows.push_back(list[k]);
    needed_[list[k]] = 1;  // a ghost that is sent on has to be received first
  }
}

std::span<const int> GhostRows::sent(const int* list) const {
  const auto found = sent_.find(list);
  return found == sent_.end() ? std::span<const int>() : std::span<const int>(found->second);
}

std::vector<int> GhostRows::received(int first, int n) const {
  std::vector<int> rows;
  rows.reserve(n);
  for (int row = first; row < first + n; row++)
    if (needed_[row]) rows.push_back(row);
  return rows;
}

}  // namespace glassml
