// Linear maps of the columns of a result row, once per receiver, while the row is in the cache.
#pragma once

#include "vectors.h"

namespace glassml::GLASSML_SIMD_LEVEL {
namespace {

inline int64_t rounded_up(int64_t columns) {
  return (columns + kMixingLanes - 1) / kMixingLanes * kMixingLanes;
}

// mixed[m][d .. d + lanes] = sum over k of row[m][k] * map[k][d .. d + lanes]
template <typename T, int kOrders>
void mix_orders(const T* row, int64_t n_rows, const T* map, int64_t stride, int64_t n_columns,
                T* mixed) {
  using V = Vector<T, kMixingLanes>;
  for (int64_t column = 0; column < n_columns; column += kMixingLanes) {
    // Two sums, of even and odd rows: in a single sum each addition would wait for the one before.
    V sums[kOrders] = {}, others[kOrders] = {};
    int64_t k = 0;
    for (; k + 1 < n_rows; k += 2) {
      const V weights = load<V>(map + k * stride + column);
      const V next = load<V>(map + (k + 1) * stride + column);
      for (int m = 0; m < kOrders; ++m) {
        sums[m] += weights * row[m * n_rows + k];
        others[m] += next * row[m * n_rows + k + 1];
      }
    }
    for (int m = 0; m < kOrders; ++m) sums[m] += others[m];
    if (k < n_rows) {
      const V weights = load<V>(map + k * stride + column);
      for (int m = 0; m < kOrders; ++m) sums[m] += weights * row[m * n_rows + k];
    }
    const int64_t rest = n_columns - column;
    const int valid = static_cast<int>(rest < kMixingLanes ? rest : kMixingLanes);
    for (int m = 0; m < kOrders; ++m) {
      store_some<kMixingLanes>(mixed + m * n_columns + column, sums[m], valid);
    }
  }
}

// sum over d of transposed[d][k .. k + lanes] * gradient[d] for kMixingLanes of the columns d
template <typename T>
inline Vector<T, kMixingLanes> unmixed_lanes(const T* transposed, int64_t stride,
                                             const T* gradient) {
  using V = Vector<T, kMixingLanes>;
  V even = {}, odd = {};  // in a single sum each addition would wait for the one before
  for (int d = 0; d < kMixingLanes; d += 2) {
    even += load<V>(transposed + d * stride) * gradient[d];
    odd += load<V>(transposed + (d + 1) * stride) * gradient[d + 1];
  }
  return even + odd;
}

// The gradient of mix_orders with respect to the row. May write row[m][k] for k beyond n_rows, up
// to a multiple of the lanes, so the orders are written in ascending m.
template <typename T, int kOrders>
void unmix_orders(const T* gradient, int64_t n_columns, const T* transposed, int64_t n_rows,
                  T* row) {
  using V = Vector<T, kMixingLanes>;
  const int64_t stride = rounded_up(n_rows);
  for (int m = 0; m < kOrders; ++m) {
    for (int64_t k = 0; k < n_rows; k += kMixingLanes) {
      V sum = {};
      int64_t d = 0;
      for (; d + kMixingLanes <= n_columns; d += kMixingLanes) {
        sum += unmixed_lanes(transposed + d * stride + k, stride, gradient + m * n_columns + d);
      }
      for (; d < n_columns; ++d) {
        sum += load<V>(transposed + d * stride + k) * gradient[m * n_columns + d];
      }
      store(row + m * n_rows + k, sum);
    }
  }
}

// Adds the gradient of mix_orders with respect to the map.
template <typename T, int kOrders>
void add_outer_products(const T* row, int64_t n_rows, const T* gradient, int64_t n_columns,
                        int64_t stride, T* map) {
  using V = Vector<T, kMixingLanes>;
  for (int64_t column = 0; column < n_columns; column += kMixingLanes) {
    const int64_t rest = n_columns - column;
    const int valid = static_cast<int>(rest < kMixingLanes ? rest : kMixingLanes);
    V incoming[kOrders];
    for (int m = 0; m < kOrders; ++m) {
      incoming[m] = load_some<kMixingLanes>(gradient + m * n_columns + column, valid);
    }
    for (int64_t k = 0; k < n_rows; ++k) {
      T* target = map + k * stride + column;
      V sum = load<V>(target);
      for (int m = 0; m < kOrders; ++m) sum += incoming[m] * row[m * n_rows + k];
      store(target, sum);
    }
  }
}

// Calls body.operator()<2 l + 1>().
template <typename Body>
inline void with_orders(int l, const Body& body) {
  switch (l) {
    case 0:
      return body.template operator()<1>();
    case 1:
      return body.template operator()<3>();
    case 2:
      return body.template operator()<5>();
    case 3:
      return body.template operator()<7>();
    default:
      return body.template operator()<kMaxOrders>();
  }
}

template <typename T>
inline void mix(const Layout& layout, const Mixing<T>& mixing, const T* row, T* mixed) {
  const T* map = mixing.rows;
  for (int l = 0; l <= layout.l_max; ++l) {
    const int64_t n_rows = layout.block_columns[l];
    with_orders(l, [&]<int kOrders>() {
      mix_orders<T, kOrders>(row, n_rows, map, mixing.stride, mixing.n_columns, mixed);
    });
    row += (2 * l + 1) * n_rows;
    mixed += (2 * l + 1) * mixing.n_columns;
    map += n_rows * mixing.stride;
  }
}

// `row` needs room for kMixingLanes elements more than a result row.
template <typename T>
inline void unmix(const Layout& layout, const Mixing<T>& mixing, const T* gradient, T* row) {
  const T* transposed = mixing.transposed;
  for (int l = 0; l <= layout.l_max; ++l) {
    const int64_t n_rows = layout.block_columns[l];
    with_orders(l, [&]<int kOrders>() {
      unmix_orders<T, kOrders>(gradient, mixing.n_columns, transposed, n_rows, row);
    });
    row += (2 * l + 1) * n_rows;
    gradient += (2 * l + 1) * mixing.n_columns;
    transposed += mixing.n_columns * rounded_up(n_rows);
  }
}

template <typename T>
inline void add_mixing_gradient(const Layout& layout, const Mixing<T>& mixing, const T* row,
                                const T* gradient, T* map) {
  for (int l = 0; l <= layout.l_max; ++l) {
    const int64_t n_rows = layout.block_columns[l];
    with_orders(l, [&]<int kOrders>() {
      add_outer_products<T, kOrders>(row, n_rows, gradient, mixing.n_columns, mixing.stride, map);
    });
    row += (2 * l + 1) * n_rows;
    gradient += (2 * l + 1) * mixing.n_columns;
    map += n_rows * mixing.stride;
  }
}

}  // namespace
}  // namespace glassml::GLASSML_SIMD_LEVEL
