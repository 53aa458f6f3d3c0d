// The simulation cell.
#pragma once

#include <array>

namespace glassml {

using Matrix = std::array<std::array<double, 3>, 3>;

/// The simulation cell: x = origin + f_1 a_1 + f_2 a_2 + f_3 a_3.
struct Cell {
  std::array<double, 3> origin{};
  Matrix vectors{};  ///< rows a_1, a_2, a_3 [length]
  std::array<bool, 3> periodic{};
};

inline double determinant(const Matrix& m) {
  return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
         m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
         m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

/// Of lattice vectors in rows: column d gives the fractional coordinate d.
inline Matrix inverse(const Matrix& m) {
  const double scale = 1.0 / determinant(m);
  Matrix result{};
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++) {
      const int a = (j + 1) % 3, b = (j + 2) % 3, c = (i + 1) % 3, d = (i + 2) % 3;
      result[i][j] = scale * (m[a][c] * m[b][d] - m[a][d] * m[b][c]);
    }
  return result;
}

}  // namespace glassml
