// A block of edges of one receiver, gathered and laid out for the vectors of the edge loops.
//
// Features, harmonics and weights are copied once and then read many times, from the caches:
//   sh      [vector][l_F, m_F][lane]   each value repeated for all channels
//   h       [vector][l_I, m_I][lane]
//   weights [vector][path][lane]       paths in the order of the groups
// A lane is (edge of the vector, channel). Edges and channels that fill up a vector are 0.
#pragma once

#include "vectors.h"

namespace glassml::GLASSML_SIMD_LEVEL {
namespace {

template <typename T>
struct Block {
  int64_t first;  // first edge
  int n_edges;
  int n_vectors;
  int n_harmonics;
  T* sh;
  T* h;
  T* weights;
  T* h_gradient;
  T* weight_gradient;
  int64_t interval[kBlockEdges];  // of the table
  T fraction[kBlockEdges];        // of the interval
};

template <typename T>
inline void locate(const RadialTable<T>& table, Block<T>& block) {
  for (int edge = 0; edge < block.n_edges; ++edge) {
    const T r = table.r[block.first + edge];
    const T cell = (r - table.knots[0]) * table.cells_per_length;
    // Written so that NaN ends at the first knot and not outside of the table.
    const int64_t last = table.n_cells - 1;
    const int64_t start =
        cell > 0 ? (cell < static_cast<T>(last) ? static_cast<int64_t>(cell) : last) : 0;
    int64_t i = table.first_interval[start];
    while (i > 0 && r < table.knots[i]) --i;
    while (i + 2 < table.n_knots && r >= table.knots[i + 1]) ++i;
    const T t = (r - table.knots[i]) * table.inverse[i];
    block.interval[edge] = i;
    block.fraction[edge] = t > 0 ? (t < 1 ? t : T{1}) : T{0};
  }
}

template <typename T, int kChannels>
inline T* slot(T* packed, int n_rows, int edge, int row) {
  constexpr int kE = kEdges<T, kChannels>;
  return packed + (static_cast<int64_t>(edge / kE) * n_rows + row) * kLanes<T, kChannels> +
         edge % kE * kChannels;
}

// Calls body(edge) for the edges that fill up the last vector.
template <typename T, int kChannels, typename Body>
inline void for_padding(const Block<T>& block, const Body& body) {
  for (int e = block.n_edges; e < block.n_vectors * kEdges<T, kChannels>; ++e) body(e);
}

template <typename T, int kChannels>
inline void pack_harmonics(const Inputs<T>& in, Block<T>& block) {
  using U = Vector<T, kChannels>;
  block.n_vectors = (block.n_edges + kEdges<T, kChannels> - 1) / kEdges<T, kChannels>;
  const int n_rows = block.n_harmonics;
  for (int edge = 0; edge < block.n_edges; ++edge) {
    const T* sh = in.sh + (block.first + edge) * in.sh_stride;
    for (int row = 0; row < n_rows; ++row) {
      store(slot<T, kChannels>(block.sh, n_rows, edge, row), U{} + sh[row]);
    }
  }
  for_padding<T, kChannels>(block, [&](int edge) {
    for (int row = 0; row < n_rows; ++row) {
      store(slot<T, kChannels>(block.sh, n_rows, edge, row), U{});
    }
  });
}

template <typename T, int kChannels>
inline void pack_features(const Part& part, const Inputs<T>& in, Block<T>& block,
                          const Chunk& chunk) {
  using U = Vector<T, kChannels>;
  for (int edge = 0; edge < block.n_edges; ++edge) {
    const int64_t sender = in.sender[block.first + edge];
    const T* state = in.state + sender * in.state_stride + part.state_start + chunk.channel;
    for (int row = 0; row < part.n_rows; ++row) {
      copy_some<kChannels>(slot<T, kChannels>(block.h, part.n_rows, edge, row),
                           state + row * part.channels, chunk.valid);
    }
  }
  for_padding<T, kChannels>(block, [&](int edge) {
    for (int row = 0; row < part.n_rows; ++row) {
      store(slot<T, kChannels>(block.h, part.n_rows, edge, row), U{});
    }
  });
}

// Weights of one edge: read, or interpolated in the table.
template <typename T, int kChannels>
inline void pack_weights_of(const Part& part, const Inputs<T>& in, Block<T>& block,
                            const Chunk& chunk, int edge) {
  using U = Vector<T, kChannels>;
  const RadialTable<T>& table = in.table;
  T* target = slot<T, kChannels>(block.weights, part.n_paths, edge, 0);
  if (!table.r) {
    const T* radial = in.radial + (block.first + edge) * in.radial_stride + part.radial_start;
    for (int p = 0; p < part.n_paths; ++p) {
      const T* source = radial + part.paths[p].index * part.channels + chunk.channel;
      copy_some<kChannels>(target + p * kLanes<T, kChannels>, source, chunk.valid);
    }
    return;
  }
  const T* low = table.values + block.interval[edge] * table.stride + chunk.table_start;
  const T* high = low + table.stride;
  const T t = block.fraction[edge];
  const T lowest = table.rectify ? T{0} : -__builtin_huge_val();
  for (int p = 0; p < part.n_paths; ++p) {
    const U weight = load<U>(low + p * kChannels) * (1 - t) + load<U>(high + p * kChannels) * t;
    store<U>(target + p * kLanes<T, kChannels>, weight < lowest ? U{} + lowest : weight);
  }
}

template <typename T, int kChannels>
inline void pack_weights(const Part& part, const Inputs<T>& in, Block<T>& block,
                         const Chunk& chunk) {
  for (int edge = 0; edge < block.n_edges; ++edge) {
    pack_weights_of<T, kChannels>(part, in, block, chunk, edge);
  }
  for_padding<T, kChannels>(block, [&](int edge) {
    for (int p = 0; p < part.n_paths; ++p) {
      store(slot<T, kChannels>(block.weights, part.n_paths, edge, p), Vector<T, kChannels>{});
    }
  });
}

template <typename T, int kChannels>
inline void unpack_feature_gradient(const Part& part, const Inputs<T>& in, const Block<T>& block,
                                    const Chunk& chunk, const Gradients<T>& gradients) {
  for (int edge = 0; edge < block.n_edges; ++edge) {
    T* target = gradients.state + in.sender[block.first + edge] * gradients.state_width +
                part.state_start + chunk.channel;
    for (int row = 0; row < part.n_rows; ++row) {
      const T* source = slot<T, kChannels>(block.h_gradient, part.n_rows, edge, row);
      add_some<kChannels>(target + row * part.channels, load<Vector<T, kChannels>>(source),
                          chunk.valid);
    }
  }
}

template <typename T, int kChannels>
inline void unpack_radial_gradient(const Part& part, const Block<T>& block, const Chunk& chunk,
                                   const Gradients<T>& gradients) {
  for (int edge = 0; edge < block.n_edges; ++edge) {
    T* row = gradients.radial + (block.first + edge) * gradients.radial_width + part.radial_start;
    for (int p = 0; p < part.n_paths; ++p) {
      const T* source = slot<T, kChannels>(block.weight_gradient, part.n_paths, edge, p);
      store_some<kChannels>(row + part.paths[p].index * part.channels + chunk.channel,
                            load<Vector<T, kChannels>>(source), chunk.valid);
    }
  }
}

template <typename T, int kChannels>
inline void unpack_table_gradient(const Part& part, const Inputs<T>& in, const Block<T>& block,
                                  const Chunk& chunk, const Gradients<T>& gradients) {
  using U = Vector<T, kChannels>;
  const int64_t width = in.table.stride;
  for (int edge = 0; edge < block.n_edges; ++edge) {
    const T* source = slot<T, kChannels>(block.weight_gradient, part.n_paths, edge, 0);
    const T* weights = slot<T, kChannels>(block.weights, part.n_paths, edge, 0);
    T* low = gradients.table + block.interval[edge] * width + chunk.table_start;
    T* high = low + width;
    const T t = block.fraction[edge];
    for (int p = 0; p < part.n_paths; ++p) {
      U gradient = load<U>(source + p * kLanes<T, kChannels>);
      const U weight = load<U>(weights + p * kLanes<T, kChannels>);
      if (in.table.rectify) gradient = weight > 0 ? gradient : U{};
      store<U>(low + p * kChannels, load<U>(low + p * kChannels) + gradient * (1 - t));
      store<U>(high + p * kChannels, load<U>(high + p * kChannels) + gradient * t);
    }
  }
}

}  // namespace
}  // namespace glassml::GLASSML_SIMD_LEVEL
