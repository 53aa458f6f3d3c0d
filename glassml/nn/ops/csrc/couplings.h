// The other order of the sums, for the case that one edge fills a vector: harmonics and
// Clebsch-Gordan coefficients are multiplied first,
//   coupling[m_I][m_O] = sum over m_F of C[m_I][m_F][m_O] Y[m_F],
// for all channels at once. Then an edge takes (2 l_I + 1) (2 l_O + 1) multiply-adds per channel
// instead of (2 l_I + 1) (2 l_F + 1), and no coefficients are applied afterwards.
#pragma once

#include "columns.h"

namespace glassml::GLASSML_SIMD_LEVEL {
namespace {

// Where edges share a vector, couplings would have to be spread over its lanes, which takes more
// time than they save.
template <typename T, int kChannels>
constexpr bool kCouples = kEdges<T, kChannels> == 1;

// The couplings of a path: coupling [m_I * (2 l_O + 1) + m_O][edge].
template <typename T>
inline void couple(const Part& part, const PathGroup& group, const Path& path, Block<T>& block) {
  constexpr int kWidth = kPackedBytes / static_cast<int>(sizeof(T));
  using V = Vector<T, kWidth>;
  const int n_couplings = (2 * group.l_I + 1) * (2 * path.l_O + 1);
  const T* y = block.y + group.l_F * group.l_F * kBlockEdges;
  const Coefficient* c = part.coefficients + path.couplings;
  T* target = block.couplings;
  for (int k = 0; k < n_couplings; ++k, target += kBlockEdges, c += kCoupledOrders) {
    static_assert(kCoupledOrders == 2);
    const T* first = y + c[0].index * kBlockEdges;
    const T* second = y + c[1].index * kBlockEdges;
    const V c_first = broadcast<V>(value_of<T>(c[0].value, c[0].value_float));
    const V c_second = broadcast<V>(value_of<T>(c[1].value, c[1].value_float));
    for (int edge = 0; edge < block.n_edges; edge += kWidth) {
      store<V>(target + edge, load<V>(first + edge) * c_first + load<V>(second + edge) * c_second);
    }
  }
}

// Forward: sums[m_O] = sum over edges of radial * (sum over m_I of coupling[m_I][m_O] h[m_I]).
template <typename T, int kChannels, int kInputs, int kOrders>
void sum_coupled(Columns<T> columns, int n_edges, Vector<T, kChannels>* sums) {
  using V = Vector<T, kChannels>;
  V total[kOrders] = {};
  for (int edge = 0; edge < n_edges; ++edge) {
    const T* features = columns.rows[edge] + columns.offset;
    V of_edge[kOrders] = {};
    for (int m_I = 0; m_I < kInputs; ++m_I) {
      const V h = load<V>(features + m_I * kChannels);
      const T* coupling = columns.sh + m_I * kOrders * kBlockEdges;
      for (int m = 0; m < kOrders; ++m) of_edge[m] += broadcast<V>(coupling[m * kBlockEdges]) * h;
    }
    const V weight = load<V>(columns.weights);
    for (int m = 0; m < kOrders; ++m) total[m] += weight * of_edge[m];
    columns.sh += 1;
    columns.weights += columns.weight_stride;
  }
  for (int m = 0; m < kOrders; ++m) sums[m] = total[m];
}

// Backward: from `sums`, the gradient of a receiver's sums, to gradients of its edges.
template <typename T, int kChannels, int kInputs, int kOrders>
void spread_coupled(Columns<T> columns, int n_edges, const Vector<T, kChannels>* sums,
                    T* const* gradient_rows, T* weight_gradients) {
  using V = Vector<T, kChannels>;
  V incoming[kOrders];
  for (int m = 0; m < kOrders; ++m) incoming[m] = sums[m];
  for (int edge = 0; edge < n_edges; ++edge) {
    const T* features = columns.rows[edge] + columns.offset;
    T* of_features = gradient_rows[edge] + columns.offset;
    const V weight = load<V>(columns.weights);
    V of_weight = {};
    for (int m_I = 0; m_I < kInputs; ++m_I) {
      const T* coupling = columns.sh + m_I * kOrders * kBlockEdges;
      V contracted = broadcast<V>(coupling[0]) * incoming[0];
      for (int m = 1; m < kOrders; ++m) {
        contracted += broadcast<V>(coupling[m * kBlockEdges]) * incoming[m];
      }
      T* of_h = of_features + m_I * kChannels;
      of_weight += contracted * load<V>(features + m_I * kChannels);
      store<V>(of_h, load<V>(of_h) + contracted * weight);
    }
    store(weight_gradients, of_weight);
    columns.sh += 1;
    columns.weights += columns.weight_stride;
    weight_gradients += columns.weight_stride;
  }
}

template <typename T, int kChannels>
using SumCoupled = void (*)(Columns<T>, int, Vector<T, kChannels>*);
template <typename T, int kChannels>
using SpreadCoupled = void (*)(Columns<T>, int, const Vector<T, kChannels>*, T* const*, T*);

// By l_O, which is below kMaxDegree.
template <typename T, int kChannels, int kInputs>
constexpr SumCoupled<T, kChannels> kSumCoupledFrom[kMaxDegree] = {
    sum_coupled<T, kChannels, kInputs, 1>, sum_coupled<T, kChannels, kInputs, 3>,
    sum_coupled<T, kChannels, kInputs, 5>, sum_coupled<T, kChannels, kInputs, 7>};
template <typename T, int kChannels, int kInputs>
constexpr SpreadCoupled<T, kChannels> kSpreadCoupledFrom[kMaxDegree] = {
    spread_coupled<T, kChannels, kInputs, 1>, spread_coupled<T, kChannels, kInputs, 3>,
    spread_coupled<T, kChannels, kInputs, 5>, spread_coupled<T, kChannels, kInputs, 7>};

// By l_I.
template <typename T, int kChannels>
constexpr const SumCoupled<T, kChannels>* kSumCoupled[kMaxDegree + 1] = {
    kSumCoupledFrom<T, kChannels, 1>, kSumCoupledFrom<T, kChannels, 3>,
    kSumCoupledFrom<T, kChannels, 5>, kSumCoupledFrom<T, kChannels, 7>,
    kSumCoupledFrom<T, kChannels, 9>};
template <typename T, int kChannels>
constexpr const SpreadCoupled<T, kChannels>* kSpreadCoupled[kMaxDegree + 1] = {
    kSpreadCoupledFrom<T, kChannels, 1>, kSpreadCoupledFrom<T, kChannels, 3>,
    kSpreadCoupledFrom<T, kChannels, 5>, kSpreadCoupledFrom<T, kChannels, 7>,
    kSpreadCoupledFrom<T, kChannels, 9>};

}  // namespace
}  // namespace glassml::GLASSML_SIMD_LEVEL
