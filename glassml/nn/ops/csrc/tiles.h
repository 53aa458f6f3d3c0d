// Products of small matrices in tiles that stay in registers.
//
// A tile is kTileRows rows of the result and one panel of its columns. With its sums in registers,
// each vector of the right matrix is loaded once for all rows. An element is always summed in the
// same order, so it does not depend on the tile in which it is computed.
#pragma once

#include "vectors.h"

namespace glassml::GLASSML_SIMD_LEVEL {
namespace {

// Rows of a tile: six times two vectors of sums, two vectors of the right matrix and a factor fill
// 16 registers.
constexpr int kTileRows = 6;

// Vectors of a panel.
constexpr int kPanelVectors = kRegisters >= 32 ? 4 : 2;

// Lanes of a vector of a panel.
template <typename T>
constexpr int kPanelLanes = kRegisterBytes / static_cast<int>(sizeof(T));

// Columns of a panel. Where fewer are left, panels have kNarrow columns.
template <typename T>
constexpr int kWide = kPanelVectors * kPanelLanes<T>;
constexpr int kNarrow = 8;

// Calls body.operator()<lanes, vectors>(column) for every panel of a matrix.
template <typename T, typename Body>
inline void for_panels(int64_t columns, const Body& body) {
  int64_t column = 0;
  for (; column + kWide<T> <= columns; column += kWide<T>) {
    body.template operator()<kPanelLanes<T>, kPanelVectors>(column);
  }
  if constexpr (kWide<T> > kNarrow) {
    for (; column < columns; column += kNarrow) {
      body.template operator()<kNarrow, 1>(column);
    }
  }
}

// Panel after panel, each row by row: the panel from `column` on begins at column * rows.
template <typename T>
void pack(const T* matrix, int64_t row_stride, int64_t column_stride, int64_t rows, int64_t columns,
          T* packed) {
  for_panels<T>(columns, [&]<int kLanes, int kVectors>(int64_t column) {
    T* target = packed + column * rows;
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t k = column; k < column + kLanes * kVectors; ++k) {
        *target++ = matrix[row * row_stride + k * column_stride];
      }
    }
  });
}

// The left matrix of a product, as kTileRows of its rows.
template <typename T>
struct LeftRows {
  const T* row[kTileRows];
  T operator()(int r, int64_t k) const { return row[r][k]; }
};

// The same, as columns of its transpose.
template <typename T>
struct LeftColumns {
  const T* first;
  int64_t stride;
  T operator()(int r, int64_t k) const { return first[k * stride + r]; }
};

// sums[r][c] += sum over k < depth of left(r, k) * right[k][c]
template <typename T, int kLanes, int kRows, int kVectors, typename Left>
inline void multiply(const Left& left, const T* right, int64_t right_stride, int64_t depth,
                     Vector<T, kLanes> (&sums)[kRows][kVectors]) {
  using V = Vector<T, kLanes>;
  for (int64_t k = 0; k < depth; ++k) {
    V row[kVectors];
    for (int c = 0; c < kVectors; ++c) row[c] = load<V>(right + k * right_stride + c * kLanes);
    for (int r = 0; r < kRows; ++r) {
      const V factor = broadcast<V>(left(r, k));
      for (int c = 0; c < kVectors; ++c) sums[r][c] += factor * row[c];
    }
  }
}

// Negative numbers become 0, as in torch.relu, also in keeping NaN.
template <typename V>
inline V rectified(const V& vector) {
  return vector < V{} ? V{} : vector;
}

}  // namespace
}  // namespace glassml::GLASSML_SIMD_LEVEL
