// The simulation cell.
#pragma once

#include <array>

namespace glassml {

/// The simulation cell: x = origin + f_1 a_1 + f_2 a_2 + f_3 a_3.
struct Cell {
  std::array<double, 3> origin{};
  std::array<std::array<double, 3>, 3> vectors{};  ///< rows a_1, a_2, a_3 [length]
  std::array<bool, 3> periodic{};
};

}  // namespace glassml
