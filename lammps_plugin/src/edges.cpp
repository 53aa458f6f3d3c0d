#include "edges.h"

#include <cmath>
#include <sstream>

namespace glassml {

namespace {

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

const Edges& EdgeFinder::find(std::span<const double> positions, std::int64_t n_local,
                              int threads) {
  check_finite(positions);
  cells_.bin(positions, n_local);
  edges_.first_edge = cells_.count(threads);
  edges_.sender.resize(edges_.first_edge.back());
  edges_.vector.resize(3 * edges_.first_edge.back());
  cells_.fill(threads, edges_.sender.data(), edges_.vector.data());
  return edges_;
}

double EdgeFinder::memory_usage() const {
  const std::size_t integers = edges_.sender.capacity() + edges_.first_edge.capacity();
  return cells_.memory_usage() + static_cast<double>(sizeof(std::int64_t) * integers +
                                                     sizeof(double) * edges_.vector.capacity());
}

}  // namespace glassml
