#include "edge_array.h"

#include <cstddef>

namespace glassml {

void EdgeArray::fill(const Edges& edges, std::span<const std::int64_t> ids,
                     std::span<const double> values) {
  clear();
  if (edges.size() == 0) return;
  const std::size_t n_values = values.size() / edges.size();
  numbers_.reserve(edges.size() * (2 + n_values));
  for (std::size_t i = 0; i + 1 < edges.first_edge.size(); i++) {
    if (ids[i] == 0) continue;
    for (auto e = static_cast<std::size_t>(edges.first_edge[i]);
         e < static_cast<std::size_t>(edges.first_edge[i + 1]); e++) {
      const std::int64_t sender = ids[static_cast<std::size_t>(edges.sender[e])];
      if (sender == 0) continue;
      numbers_.push_back(static_cast<double>(ids[i]));
      numbers_.push_back(static_cast<double>(sender));
      const auto value = values.begin() + static_cast<std::ptrdiff_t>(e * n_values);
      numbers_.insert(numbers_.end(), value, value + static_cast<std::ptrdiff_t>(n_values));
    }
  }
  for (std::size_t k = 0; k < numbers_.size(); k += 2 + n_values) rows_.push_back(&numbers_[k]);
}

void EdgeArray::clear() {
  numbers_.clear();
  rows_.clear();
}

double EdgeArray::memory_usage() const {
  return static_cast<double>(numbers_.capacity() * sizeof(double) +
                             rows_.capacity() * sizeof(double*));
}

}  // namespace glassml
