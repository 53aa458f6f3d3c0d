#include "near_order.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

namespace glassml {

namespace {

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

}  // namespace glassml
