// Forward pass, for a path (l_I, l_F, l_O) and a block of edges: first the sums over edges of
//   product[m_I][m_F] = radial * Y[m_F] * h[m_I],
// which stay in registers during the loop over edges; then Clebsch-Gordan coefficients, once per
// block.
#pragma once

#include "columns.h"

namespace glassml::GLASSML_SIMD_LEVEL {
namespace {

constexpr int kMaxProducts = kMaxOrders * kMaxOrders;
constexpr int kMaxTile = 7;  // orders m_I that are processed together

// Number of registers that a vector takes.
template <typename T, int kChannels>
constexpr int kTaken = kLanes<T, kChannels> * sizeof(T) > kRegisterBytes
                           ? kLanes<T, kChannels> * static_cast<int>(sizeof(T)) / kRegisterBytes
                           : 1;

// Number of orders m_I whose products with all m_F fit into the registers together.
template <typename T, int kChannels>
constexpr int tile_size(int n_F) {
  const int orders = (kRegisters - 3) / kTaken<T, kChannels> / n_F;
  return orders < 1 ? 1 : (orders > kMaxTile ? kMaxTile : orders);
}

// With fewer sums than this, each addition would wait for the one before; then even and odd edges
// have separate sums.
template <typename T, int kChannels>
constexpr int kFewSums = kRegisters / 4 / kTaken<T, kChannels>;

// sums[m_I][m_F] += radial * Y[m_F] * h[m_I] of one vector of edges, for kRows orders m_I.
template <typename T, int kChannels, int kOrders, int kRows>
inline void add_products(const Columns<T>& columns, int vector,
                         Vector<T, kLanes<T, kChannels>> (&sums)[kRows][kOrders]) {
  constexpr int kL = kLanes<T, kChannels>;
  using V = Vector<T, kL>;
  using Y = Harmonics<T, kChannels, kOrders>;
  const T* features = columns.rows[vector] + columns.offset;
  const T* sh = columns.sh + vector * Y::kStride;
  const V weight = load<V>(columns.weights + vector * columns.weight_stride);
  if constexpr (kOrders == 1) {  // the harmonic of degree 0 is 1
    for (int r = 0; r < kRows; ++r) sums[r][0] += weight * load<V>(features + r * kL);
  } else if constexpr (kRows <= kOrders) {
    V weighted[kRows];
    for (int r = 0; r < kRows; ++r) weighted[r] = weight * load<V>(features + r * kL);
    for (int m = 0; m < kOrders; ++m) {
      const V y = Y::of(sh, m);
      for (int r = 0; r < kRows; ++r) sums[r][m] += weighted[r] * y;
    }
  } else {
    V weighted[kOrders];
    for (int m = 0; m < kOrders; ++m) weighted[m] = weight * Y::of(sh, m);
    for (int r = 0; r < kRows; ++r) {
      const V h = load<V>(features + r * kL);
      for (int m = 0; m < kOrders; ++m) sums[r][m] += weighted[m] * h;
    }
  }
}

// products[m_I][m_F] = sum over edges of radial * Y[m_F] * h[m_I] for kRows orders m_I.
template <typename T, int kChannels, int kOrders, int kRows>
inline void sum_over_edges(const Columns<T>& columns, int n_vectors,
                           Vector<T, kChannels>* products) {
  using V = Vector<T, kLanes<T, kChannels>>;
  V sums[kRows][kOrders] = {};
  if constexpr (kRows * kOrders < kFewSums<T, kChannels>) {
    V others[kRows][kOrders] = {};
    int vector = 0;
    for (; vector + 1 < n_vectors; vector += 2) {
      add_products<T, kChannels>(columns, vector, sums);
      add_products<T, kChannels>(columns, vector + 1, others);
    }
    if (vector < n_vectors) add_products<T, kChannels>(columns, vector, sums);
    for (int r = 0; r < kRows; ++r) {
      for (int m = 0; m < kOrders; ++m) sums[r][m] += others[r][m];
    }
  } else {
    for (int vector = 0; vector < n_vectors; ++vector) {
      add_products<T, kChannels>(columns, vector, sums);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int m = 0; m < kOrders; ++m) products[r * kOrders + m] = folded<T, kChannels>(sums[r][m]);
  }
}

// All products of a path from m_I number kFirst on, in tiles of about the same number of orders.
template <typename T, int kChannels, int kOrders, int kInputs, int kFirst = 0>
void sum_products(Columns<T> columns, int n_vectors, Vector<T, kChannels>* products) {
  constexpr int kLargest = tile_size<T, kChannels>(kOrders);
  constexpr int kRest = kInputs - kFirst;
  constexpr int kRows = kRest / ((kRest + kLargest - 1) / kLargest);
  sum_over_edges<T, kChannels, kOrders, kRows>(columns, n_vectors, products + kFirst * kOrders);
  if constexpr (kRows < kRest) {
    columns.offset += kRows * kLanes<T, kChannels>;
    sum_products<T, kChannels, kOrders, kInputs, kFirst + kRows>(columns, n_vectors, products);
  }
}

template <typename T, int kChannels>
using SumProducts = void (*)(Columns<T>, int, Vector<T, kChannels>*);

// By l_I.
template <typename T, int kChannels, int kOrders>
constexpr SumProducts<T, kChannels> kSumFrom[kMaxDegree + 1] = {
    sum_products<T, kChannels, kOrders, 1>, sum_products<T, kChannels, kOrders, 3>,
    sum_products<T, kChannels, kOrders, 5>, sum_products<T, kChannels, kOrders, 7>,
    sum_products<T, kChannels, kOrders, 9>};

// By l_F.
template <typename T, int kChannels>
constexpr const SumProducts<T, kChannels>* kSum[kMaxDegree + 1] = {
    kSumFrom<T, kChannels, 1>, kSumFrom<T, kChannels, 3>, kSumFrom<T, kChannels, 5>,
    kSumFrom<T, kChannels, 7>, kSumFrom<T, kChannels, 9>};

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
