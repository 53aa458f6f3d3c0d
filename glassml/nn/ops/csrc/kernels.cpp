// Forward and backward kernels, compiled once for every vector extension (see kernels.h).
//
// Channels do not mix in this operator, so they are the lanes of the vectors: C channels are worked
// off in groups of 16, 8, 4 and 1 lanes, whatever C is.
//
// Forward, for each receiver and each pair (l_I, l_F): first the sums over edges of
//   product[path][m_I][m_F] = radial * Y[m_F] * h[m_I],
// kept in registers while the edges pass; then Clebsch-Gordan coefficients, once per receiver.
// Backward is the transpose: coefficients once per receiver, then one pass over the edges.

#include "kernels.h"

#ifndef GLASSML_SIMD_LEVEL
#define GLASSML_SIMD_LEVEL baseline
#endif

namespace glassml::GLASSML_SIMD_LEVEL {
namespace {

#if defined(__AVX512VL__)
constexpr int kRegisters = 32;
constexpr int kRegisterBytes = 64;
#elif defined(__AVX__)
constexpr int kRegisters = 16;
constexpr int kRegisterBytes = 32;
#elif defined(__aarch64__)
constexpr int kRegisters = 32;
constexpr int kRegisterBytes = 16;
#else
constexpr int kRegisters = 16;
constexpr int kRegisterBytes = 16;
#endif

constexpr int kMaxOrders = 2 * kMaxDegree + 1;
constexpr int kMaxPathsOfPair = kMaxDegree + 1;
constexpr int kMaxProducts = kMaxPathsOfPair * kMaxOrders * kMaxOrders;
constexpr int kMaxTile = 4;  // paths of a pair that are worked on at once

template <typename T, int kLanes>
struct VectorType {
  typedef T type __attribute__((vector_size(sizeof(T) * kLanes)));
};
template <typename T>
struct VectorType<T, 1> {
  typedef T type;
};
template <typename T, int kLanes>
using Vector = typename VectorType<T, kLanes>::type;

template <typename V, typename T>
inline V load(const T* source) {
  V vector;
  __builtin_memcpy(&vector, source, sizeof(V));
  return vector;
}

template <typename V, typename T>
inline void store(T* target, const V& vector) {
  __builtin_memcpy(target, &vector, sizeof(V));
}

template <typename V, typename T>
inline void add(T* target, const V& vector) {
  store(target, load<V>(target) + vector);
}

// Paths whose products [path][m_F] fit into the registers together.
template <typename T, int kLanes>
constexpr int tile_size(int n_F) {
  const int bytes = static_cast<int>(sizeof(T)) * kLanes;
  const int registers = bytes > kRegisterBytes ? bytes / kRegisterBytes : 1;
  const int paths = (kRegisters - 4) / registers / n_F;
  return paths < 1 ? 1 : (paths > kMaxTile ? kMaxTile : paths);
}

// Calls body.operator()<lanes>(first channel) for groups of channels.
template <typename Body>
inline void for_lanes(int64_t channels, const Body& body) {
  int64_t channel = 0;
  for (; channel + 16 <= channels; channel += 16) body.template operator()<16>(channel);
  for (; channel + 8 <= channels; channel += 8) body.template operator()<8>(channel);
  for (; channel + 4 <= channels; channel += 4) body.template operator()<4>(channel);
  for (; channel < channels; ++channel) body.template operator()<1>(channel);
}

// The columns that one call of an edge loop works on.
struct Columns {
  int64_t state;             // of (l_I, m_I = -l_I or the m_I at hand) and the first channel
  int64_t sh;                // of (l_F, m_F = -l_F)
  int64_t radial[kMaxTile];  // of each path and the first channel
};

inline Columns columns_of(const Layout& layout, const PathGroup& group, int tile, int n_tile,
                          int64_t channel) {
  Columns columns;
  columns.state = int64_t{group.l_I} * group.l_I * layout.channels + channel;
  columns.sh = int64_t{group.l_F} * group.l_F;
  for (int p = 0; p < n_tile; ++p) {
    const Path& path = layout.paths[group.first_path + tile + p];
    columns.radial[p] = path.index * layout.channels + channel;
  }
  return columns;
}

// The block column of a path and channel for m_O = -l_O in a result row.
inline int64_t result_column(const Layout& layout, const Path& path, int64_t channel) {
  return layout.block_start[path.l_O] + path.position * layout.channels + channel;
}

// ---------------------------------------------------------------------------------- forward

// products[path * path_stride + m_F] = sum over edges of radial[path] * Y[m_F] * h, for one m_I.
template <typename T, int kLanes, int kOrders, int kPaths>
void sum_over_edges(const Inputs<T>& in, int64_t begin, int64_t end, const Columns& columns,
                    Vector<T, kLanes>* products, int path_stride) {
  using V = Vector<T, kLanes>;
  V sums[kPaths][kOrders] = {};
  for (int64_t edge = begin; edge < end; ++edge) {
    const T* sh = in.sh + edge * in.sh_stride + columns.sh;
    const T* radial = in.radial + edge * in.radial_stride;
    const V h = load<V>(in.state + in.sender[edge] * in.state_stride + columns.state);
    for (int p = 0; p < kPaths; ++p) {
      const V weighted = h * load<V>(radial + columns.radial[p]);
      for (int m = 0; m < kOrders; ++m) sums[p][m] += weighted * sh[m];
    }
  }
  for (int p = 0; p < kPaths; ++p) {
    for (int m = 0; m < kOrders; ++m) products[p * path_stride + m] = sums[p][m];
  }
}

template <typename T, int kLanes>
using SumOverEdges = void (*)(const Inputs<T>&, int64_t, int64_t, const Columns&,
                              Vector<T, kLanes>*, int);

template <typename T, int kLanes, int kOrders>
constexpr SumOverEdges<T, kLanes> kSumOfTile[kMaxTile] = {
    sum_over_edges<T, kLanes, kOrders, 1>, sum_over_edges<T, kLanes, kOrders, 2>,
    sum_over_edges<T, kLanes, kOrders, 3>, sum_over_edges<T, kLanes, kOrders, 4>};

template <typename T, int kLanes>
constexpr const SumOverEdges<T, kLanes>* kSum[kMaxDegree + 1] = {
    kSumOfTile<T, kLanes, 1>, kSumOfTile<T, kLanes, 3>, kSumOfTile<T, kLanes, 5>,
    kSumOfTile<T, kLanes, 7>, kSumOfTile<T, kLanes, 9>};

// Adds the paths of one group to the (zeroed) result row of a receiver.
template <typename T, int kLanes>
void forward_group(const Layout& layout, const Inputs<T>& in, const PathGroup& group,
                   int64_t receiver, int64_t channel, T* row) {
  using V = Vector<T, kLanes>;
  const int n_I = 2 * group.l_I + 1;
  const int n_F = 2 * group.l_F + 1;
  const int largest = tile_size<T, kLanes>(n_F);
  const int64_t begin = in.first_edge[receiver];
  const int64_t end = in.first_edge[receiver + 1];
  V products[kMaxProducts];  // [path][m_I][m_F]
  for (int tile = 0; tile < group.n_paths; tile += largest) {
    const int n_tile = group.n_paths - tile < largest ? group.n_paths - tile : largest;
    Columns columns = columns_of(layout, group, tile, n_tile, channel);
    for (int m = 0; m < n_I; ++m, columns.state += layout.channels) {
      V* target = products + (tile * n_I + m) * n_F;
      kSum<T, kLanes>[group.l_F][n_tile - 1](in, begin, end, columns, target, n_I* n_F);
    }
  }
  for (int p = 0; p < group.n_paths; ++p) {
    const Path& path = layout.paths[group.first_path + p];
    const V* of_path = products + p * n_I * n_F;
    T* block = row + result_column(layout, path, channel);
    for (int k = path.first_coefficient; k < path.last_coefficient; ++k) {
      const Coefficient& c = layout.coefficients[k];
      add<V>(block + c.m_O * layout.block_columns[path.l_O],
             of_path[c.product] * static_cast<T>(c.value));
    }
  }
}

// Plain scalars have l_I = 0: their coefficients are 1 for m_O = m_F.
template <typename T>
void forward_scalars(const Layout& layout, const Inputs<T>& in, int64_t receiver, T* row) {
  for (int64_t s = 0; s < layout.n_in; ++s) {
    T sums[(kMaxDegree + 1) * (kMaxDegree + 1)] = {};
    for (int64_t edge = in.first_edge[receiver]; edge < in.first_edge[receiver + 1]; ++edge) {
      const T* sh = in.sh + edge * in.sh_stride;
      const T* radial = in.radial + edge * in.radial_stride + layout.n_path_weights + s;
      const T value = in.state[in.sender[edge] * in.state_stride + layout.hidden_width + s];
      for (int l = 0, lm = 0; l <= layout.l_max; ++l) {
        const T weighted = value * radial[l * layout.n_in];
        for (; lm < (l + 1) * (l + 1); ++lm) sums[lm] += weighted * sh[lm];
      }
    }
    for (int l = 0; l <= layout.l_max; ++l) {
      T* column = row + layout.block_start[l] + layout.block_columns[l] - layout.n_in + s;
      for (int m = 0; m < 2 * l + 1; ++m) column[m * layout.block_columns[l]] = sums[l * l + m];
    }
  }
}

template <typename T>
void forward(const Layout& layout, const Inputs<T>& in, int64_t begin, int64_t end, T* result) {
  for (int64_t receiver = begin; receiver < end; ++receiver) {
    T* row = result + receiver * layout.result_width;
    for (int64_t column = 0; column < layout.result_width; ++column) row[column] = 0;
    for_lanes(layout.channels, [&]<int kLanes>(int64_t channel) {
      for (int g = 0; g < layout.n_groups; ++g) {
        forward_group<T, kLanes>(layout, in, layout.groups[g], receiver, channel, row);
      }
    });
    forward_scalars(layout, in, receiver, row);
  }
}

// --------------------------------------------------------------------------------- backward

// From `products`, the gradient [path][m_I][m_F] of a receiver's sums, to gradients of its edges.
template <typename T, int kLanes, int kOrders, int kPaths>
void spread_over_edges(const Inputs<T>& in, int64_t begin, int64_t end, const Columns& columns,
                       const Vector<T, kLanes>* products, int n_I, int64_t channels,
                       const Gradients<T>& gradients) {
  using V = Vector<T, kLanes>;
  for (int64_t edge = begin; edge < end; ++edge) {
    const T* sh = in.sh + edge * in.sh_stride + columns.sh;
    const T* radial = in.radial + edge * in.radial_stride;
    const T* state = in.state + in.sender[edge] * in.state_stride + columns.state;
    T* state_gradient = nullptr;
    if (gradients.state) {
      state_gradient = gradients.state + in.sender[edge] * gradients.state_width + columns.state;
    }
    V harmonics[kOrders], weights[kPaths], weight_gradients[kPaths] = {};
    for (int m = 0; m < kOrders; ++m) harmonics[m] = V{} + sh[m];
    for (int p = 0; p < kPaths; ++p) weights[p] = load<V>(radial + columns.radial[p]);
    for (int m_I = 0; m_I < n_I; ++m_I) {
      const V h = load<V>(state + m_I * channels);
      V h_gradient = {};
      for (int p = 0; p < kPaths; ++p) {
        const V* product = products + (p * n_I + m_I) * kOrders;
        V contracted = product[0] * harmonics[0];
        for (int m = 1; m < kOrders; ++m) contracted += product[m] * harmonics[m];
        weight_gradients[p] += contracted * h;
        h_gradient += contracted * weights[p];
      }
      if (state_gradient) add(state_gradient + m_I * channels, h_gradient);
    }
    if (!gradients.radial) continue;
    T* radial_gradient = gradients.radial + edge * gradients.radial_width;
    for (int p = 0; p < kPaths; ++p) {
      store(radial_gradient + columns.radial[p], weight_gradients[p]);
    }
  }
}

template <typename T, int kLanes>
using SpreadOverEdges = void (*)(const Inputs<T>&, int64_t, int64_t, const Columns&,
                                 const Vector<T, kLanes>*, int, int64_t, const Gradients<T>&);

template <typename T, int kLanes, int kOrders>
constexpr SpreadOverEdges<T, kLanes> kSpreadOfTile[kMaxTile] = {
    spread_over_edges<T, kLanes, kOrders, 1>, spread_over_edges<T, kLanes, kOrders, 2>,
    spread_over_edges<T, kLanes, kOrders, 3>, spread_over_edges<T, kLanes, kOrders, 4>};

template <typename T, int kLanes>
constexpr const SpreadOverEdges<T, kLanes>* kSpread[kMaxDegree + 1] = {
    kSpreadOfTile<T, kLanes, 1>, kSpreadOfTile<T, kLanes, 3>, kSpreadOfTile<T, kLanes, 5>,
    kSpreadOfTile<T, kLanes, 7>, kSpreadOfTile<T, kLanes, 9>};

template <typename T, int kLanes>
void backward_group(const Layout& layout, const Inputs<T>& in, const PathGroup& group,
                    int64_t receiver, int64_t channel, const Gradients<T>& gradients) {
  using V = Vector<T, kLanes>;
  const int n_I = 2 * group.l_I + 1;
  const int n_products = n_I * (2 * group.l_F + 1);
  const T* row = gradients.result + receiver * layout.result_width;
  V products[kMaxProducts];  // [path][m_I][m_F]
  for (int k = 0; k < group.n_paths * n_products; ++k) products[k] = V{};
  for (int p = 0; p < group.n_paths; ++p) {
    const Path& path = layout.paths[group.first_path + p];
    const T* block = row + result_column(layout, path, channel);
    for (int k = path.first_coefficient; k < path.last_coefficient; ++k) {
      const Coefficient& c = layout.coefficients[k];
      products[p * n_products + c.product] +=
          load<V>(block + c.m_O * layout.block_columns[path.l_O]) * static_cast<T>(c.value);
    }
  }
  for (int tile = 0; tile < group.n_paths; tile += kMaxTile) {
    const int n_tile = group.n_paths - tile < kMaxTile ? group.n_paths - tile : kMaxTile;
    const Columns columns = columns_of(layout, group, tile, n_tile, channel);
    kSpread<T, kLanes>[group.l_F][n_tile - 1](
        in, in.first_edge[receiver], in.first_edge[receiver + 1], columns,
        products + tile* n_products, n_I, layout.channels, gradients);
  }
}

template <typename T>
void backward_scalars(const Layout& layout, const Inputs<T>& in, int64_t receiver,
                      const Gradients<T>& gradients) {
  const T* row = gradients.result + receiver * layout.result_width;
  for (int64_t edge = in.first_edge[receiver]; edge < in.first_edge[receiver + 1]; ++edge) {
    const T* sh = in.sh + edge * in.sh_stride;
    const int64_t sender = in.sender[edge];
    for (int64_t s = 0; s < layout.n_in; ++s) {
      const T value = in.state[sender * in.state_stride + layout.hidden_width + s];
      T value_gradient = 0;
      for (int l = 0; l <= layout.l_max; ++l) {
        const int64_t columns = layout.block_columns[l];
        const T* column = row + layout.block_start[l] + columns - layout.n_in + s;
        T contracted = 0;
        for (int m = 0; m < 2 * l + 1; ++m) contracted += column[m * columns] * sh[l * l + m];
        const int64_t weight = layout.n_path_weights + l * layout.n_in + s;
        value_gradient += contracted * in.radial[edge * in.radial_stride + weight];
        if (gradients.radial) {
          gradients.radial[edge * gradients.radial_width + weight] = contracted * value;
        }
      }
      if (gradients.state) {
        gradients.state[sender * gradients.state_width + layout.hidden_width + s] += value_gradient;
      }
    }
  }
}

template <typename T>
void backward(const Layout& layout, const Inputs<T>& in, int64_t begin, int64_t end,
              const Gradients<T>& gradients) {
  for (int64_t receiver = begin; receiver < end; ++receiver) {
    for_lanes(layout.channels, [&]<int kLanes>(int64_t channel) {
      for (int g = 0; g < layout.n_groups; ++g) {
        backward_group<T, kLanes>(layout, in, layout.groups[g], receiver, channel, gradients);
      }
    });
    backward_scalars(layout, in, receiver, gradients);
  }
}

}  // namespace

const Kernels kernels = {forward<float>, forward<double>, backward<float>, backward<double>};

}  // namespace glassml::GLASSML_SIMD_LEVEL
