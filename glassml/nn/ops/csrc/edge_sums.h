// Forward, for a path (l_I, l_F, l_O) and a block of edges: first the sums over edges of
//   product[m_I][m_F] = radial * Y[m_F] * h[m_I],
// kept in registers while the edges pass; then Clebsch-Gordan coefficients, once per block.
#pragma once

#include "columns.h"

namespace glassml::GLASSML_SIMD_LEVEL {
namespace {

constexpr int kMaxProducts = kMaxOrders * kMaxOrders;
constexpr int kMaxTile = 7;  // orders m_I that are worked on at once

// Orders m_I whose products with all m_F fit into the registers together.
template <typename T, int kChannels>
constexpr int tile_size(int n_F) {
  const int bytes = static_cast<int>(sizeof(T)) * kLanes<T, kChannels>;
  const int registers = bytes > kRegisterBytes ? bytes / kRegisterBytes : 1;
  const int orders = (kRegisters - 3) / registers / n_F;
  return orders < 1 ? 1 : (orders > kMaxTile ? kMaxTile : orders);
}

// products[m_I][m_F] = sum over edges of radial * Y[m_F] * h[m_I] for kRows orders m_I.
template <typename T, int kChannels, int kOrders, int kRows>
void sum_over_edges(Columns<T> columns, int n_vectors, Vector<T, kChannels>* products) {
  constexpr int kL = kLanes<T, kChannels>;
  using V = Vector<T, kL>;
  using Y = Harmonics<T, kChannels, kOrders>;
  V sums[kRows][kOrders] = {};
  for (int vector = 0; vector < n_vectors; ++vector) {
    const V weight = load<V>(columns.weights);
    if constexpr (kOrders == 1) {  // the harmonic of degree 0 is 1
      for (int r = 0; r < kRows; ++r) sums[r][0] += weight * load<V>(columns.h + r * kL);
    } else if constexpr (kRows <= kOrders) {
      V weighted[kRows];
      for (int r = 0; r < kRows; ++r) weighted[r] = weight * load<V>(columns.h + r * kL);
      for (int m = 0; m < kOrders; ++m) {
        const V y = Y::of(columns.sh, m);
        for (int r = 0; r < kRows; ++r) sums[r][m] += weighted[r] * y;
      }
    } else {
      V weighted[kOrders];
      for (int m = 0; m < kOrders; ++m) weighted[m] = weight * Y::of(columns.sh, m);
      for (int r = 0; r < kRows; ++r) {
        const V h = load<V>(columns.h + r * kL);
        for (int m = 0; m < kOrders; ++m) sums[r][m] += weighted[m] * h;
      }
    }
    columns.sh += Y::kStride;
    columns.h += columns.h_stride;
    columns.weights += columns.weight_stride;
  }
  for (int r = 0; r < kRows; ++r) {
    for (int m = 0; m < kOrders; ++m) products[r * kOrders + m] = folded<T, kChannels>(sums[r][m]);
  }
}

template <typename T, int kChannels>
using SumOverEdges = void (*)(Columns<T>, int, Vector<T, kChannels>*);

// Tiles that do not fit are never asked for.
template <typename T, int kChannels, int kOrders, int kRows>
constexpr SumOverEdges<T, kChannels> kSumOfRows = sum_over_edges < T,
                                     kChannels, kOrders,
                                     kRows <= tile_size<T, kChannels>(kOrders) ? kRows : 1 > ;

template <typename T, int kChannels, int kOrders>
constexpr SumOverEdges<T, kChannels> kSumOfTile[kMaxTile] = {
    kSumOfRows<T, kChannels, kOrders, 1>, kSumOfRows<T, kChannels, kOrders, 2>,
    kSumOfRows<T, kChannels, kOrders, 3>, kSumOfRows<T, kChannels, kOrders, 4>,
    kSumOfRows<T, kChannels, kOrders, 5>, kSumOfRows<T, kChannels, kOrders, 6>,
    kSumOfRows<T, kChannels, kOrders, 7>};

template <typename T, int kChannels>
constexpr const SumOverEdges<T, kChannels>* kSum[kMaxDegree + 1] = {
    kSumOfTile<T, kChannels, 1>, kSumOfTile<T, kChannels, 3>, kSumOfTile<T, kChannels, 5>,
    kSumOfTile<T, kChannels, 7>, kSumOfTile<T, kChannels, 9>};

// All products of one path.
template <typename T, int kChannels>
inline void sum_products(const Columns<T>& of_path, const PathGroup& group, int n_vectors,
                         Vector<T, kChannels>* products) {
  const int n_I = 2 * group.l_I + 1;
  const int n_F = 2 * group.l_F + 1;
  const int largest = tile_size<T, kChannels>(n_F);
  const int n_tiles = (n_I + largest - 1) / largest;
  Columns<T> columns = of_path;
  int m_I = 0;
  for (int tile = 0; tile < n_tiles; ++tile) {
    const int n_tile = (n_I - m_I) / (n_tiles - tile);  // tiles of about the same size
    kSum<T, kChannels>[group.l_F][n_tile - 1](columns, n_vectors, products + m_I* n_F);
    columns.h += n_tile * kLanes<T, kChannels>;
    m_I += n_tile;
  }
}

// Adds products [m_I][m_F] times coefficients to the result row of a receiver.
template <typename T, int kChannels>
inline void apply_coefficients(const Part& part, const Path& path, int64_t row_stride,
                               const Chunk& chunk, const Vector<T, kChannels>* products, T* row) {
  T* target = row + result_column(part, path, chunk);
  const Coefficient* c = part.coefficients + path.of_results.first;
  with_valid<kChannels>(chunk, [&]<int kValid>() {
    for (int m_O = 0; m_O < 2 * path.l_O + 1; ++m_O, target += row_stride) {
      Vector<T, kChannels> sum = {};
      for (int term = 0; term < path.of_results.length; ++term, ++c) {
        sum += products[c->index] * value_of<T>(c->value, c->value_float);
      }
      add_some<kChannels>(target, sum, kValid > 0 ? kValid : chunk.valid);
    }
  });
}

}  // namespace
}  // namespace glassml::GLASSML_SIMD_LEVEL
