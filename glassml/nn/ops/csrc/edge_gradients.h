// Backward pass, the transpose of edge_sums.h: coefficients once per block, then one loop over the
// edges.
#pragma once

#include "columns.h"

namespace glassml::GLASSML_SIMD_LEVEL {
namespace {

constexpr int kMaxPathTile = 4;  // paths that are processed together

// From `products`, the gradient [path][m_I][m_F] of a receiver's sums, to the gradients of its
// edges. Adds to the gradients of features, writes those of weights.
template <typename T, int kChannels, int kOrders, int kPaths>
void spread_over_edges(Columns<T> columns, int n_vectors,
                       const Vector<T, kLanes<T, kChannels>>* products, int n_I,
                       T* const* gradient_rows, T* weight_gradients) {
  constexpr int kL = kLanes<T, kChannels>;
  using V = Vector<T, kL>;
  using Y = Harmonics<T, kChannels, kOrders>;
  for (int vector = 0; vector < n_vectors; ++vector) {
    const T* features = columns.rows[vector] + columns.offset;
    T* of_features = gradient_rows[vector] + columns.offset;
    V harmonics[kOrders], weights[kPaths], of_weights[kPaths] = {};
    for (int m = 0; m < kOrders; ++m) harmonics[m] = Y::of(columns.sh, m);
    for (int p = 0; p < kPaths; ++p) weights[p] = load<V>(columns.weights + p * kL);
    for (int m_I = 0; m_I < n_I; ++m_I) {
      const V h = load<V>(features + m_I * kL);
      V of_h = load<V>(of_features + m_I * kL);
      for (int p = 0; p < kPaths; ++p) {
        const V* product = products + (p * n_I + m_I) * kOrders;
        V contracted = product[0] * harmonics[0];
        for (int m = 1; m < kOrders; ++m) contracted += product[m] * harmonics[m];
        of_weights[p] += contracted * h;
        of_h += contracted * weights[p];
      }
      store(of_features + m_I * kL, of_h);
    }
    for (int p = 0; p < kPaths; ++p) store(weight_gradients + p * kL, of_weights[p]);
    columns.sh += Y::kStride;
    columns.weights += columns.weight_stride;
    weight_gradients += columns.weight_stride;
  }
}

template <typename T, int kChannels>
using SpreadOverEdges = void (*)(Columns<T>, int, const Vector<T, kLanes<T, kChannels>>*, int,
                                 T* const*, T*);

template <typename T, int kChannels, int kOrders>
constexpr SpreadOverEdges<T, kChannels> kSpreadOfTile[kMaxPathTile] = {
    spread_over_edges<T, kChannels, kOrders, 1>, spread_over_edges<T, kChannels, kOrders, 2>,
    spread_over_edges<T, kChannels, kOrders, 3>, spread_over_edges<T, kChannels, kOrders, 4>};

template <typename T, int kChannels>
constexpr const SpreadOverEdges<T, kChannels>* kSpread[kMaxDegree + 1] = {
    kSpreadOfTile<T, kChannels, 1>, kSpreadOfTile<T, kChannels, 3>, kSpreadOfTile<T, kChannels, 5>,
    kSpreadOfTile<T, kChannels, 7>, kSpreadOfTile<T, kChannels, 9>};

// Gradients of the products [path][m_I][m_F] of some paths, equal for all edges of a vector.
template <typename T, int kChannels>
inline void transposed_coefficients(const Layout& layout, const Part& part, const PathGroup& group,
                                    int first, int end, const Chunk& chunk, const T* row,
                                    T* products) {
  constexpr int kL = kLanes<T, kChannels>;
  const int n_products = (2 * group.l_I + 1) * (2 * group.l_F + 1);
  with_valid<kChannels>(chunk, [&]<int kValid>() {
    for (int p = first; p < end; ++p) {
      const Path& path = part.paths[group.first_path + p];
      const T* source = row + result_column(part, path, chunk);
      const int64_t row_stride = layout.block_columns[path.l_O];
      Vector<T, kChannels> orders[kMaxOrders];
      for (int m = 0; m < 2 * path.l_O + 1; ++m, source += row_stride) {
        orders[m] = load_some<kChannels>(source, kValid > 0 ? kValid : chunk.valid);
      }
      const Coefficient* c = part.coefficients + path.of_products.first;
      for (int product = 0; product < n_products; ++product, products += kL) {
        Vector<T, kChannels> sum = {};
        for (int term = 0; term < path.of_products.length; ++term, ++c) {
          sum += orders[c->index] * value_of<T>(c->value, c->value_float);
        }
        for (int e = 0; e < kL; e += kChannels) store(products + e, sum);
      }
    }
  });
}

}  // namespace
}  // namespace glassml::GLASSML_SIMD_LEVEL
