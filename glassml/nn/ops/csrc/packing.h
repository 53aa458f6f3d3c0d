// A block of edges of one receiver, gathered and arranged for the vectors of the edge loops.
//
// The data of the edges are copied once and then read many times, from the caches:
//   r, y    [l_F, m_F][edge]                  distances and spherical harmonics
//   sh      for each l_F [vector][m_F][lane]  each harmonic repeated for all channels; only where
//                                             edges share a vector, elsewhere y is used
//   h       [vector][l_I, m_I][lane]          only where rows of state are not read directly
//   weights [vector][path][lane]              paths in the order of the groups
// A lane is (edge of the vector, channel). Unused lanes are 0.
#pragma once

#include "vectors.h"

namespace glassml::GLASSML_SIMD_LEVEL {
namespace {

template <typename T>
struct Block {
  int64_t first;  // first edge
  int n_edges;
  int n_vectors;
  T* r;
  T* y;
  T* sh;
  T* couplings;  // of the present path, see couplings.h
  T* h;
  T* weights;
  T* h_gradient;  // like h
  T* weight_gradient;
  const T* rows[kBlockEdges];     // features [l_I, m_I][lane] of each vector
  T* gradient_rows[kBlockEdges];  // their gradients
  int64_t interval[kBlockEdges];  // of the table, in which the edge lies
  T fraction[kBlockEdges];        // position in that interval, 0 to 1
};

// Square roots of all lanes.
template <typename V>
inline V square_root(V values) {
  for (int lane = 0; lane < static_cast<int>(sizeof(V) / sizeof(values[0])); ++lane) {
    values[lane] = __builtin_sqrt(values[lane]);
  }
  return values;
}

// Distances and spherical harmonics, the latter degree by degree from those of degree 1.
template <typename T>
inline void evaluate_harmonics(const Layout& layout, const Inputs<T>& in, Block<T>& block) {
  constexpr int kWidth = kRegisterBytes / static_cast<int>(sizeof(T));
  using V = Vector<T, kWidth>;
  const T* vector = in.edge_vector + 3 * block.first;
  T* x = block.y + kBlockEdges;  // rows 1 to 3, which are unused for l_max = 0
  for (int e = 0; e < block.n_edges; ++e, vector += 3) {
    for (int axis = 0; axis < 3; ++axis) x[axis * kBlockEdges + e] = vector[axis];
  }
  const int n = (block.n_edges + kMaxLanes - 1) / kMaxLanes * kMaxLanes;
  for (int e = block.n_edges; e < n; ++e) {
    for (int axis = 0; axis < 3; ++axis) x[axis * kBlockEdges + e] = 0;
  }
  for (int e = 0; e < n; e += kWidth) {
    V direction[3];
    V squared = {};
    for (int axis = 0; axis < 3; ++axis) {
      direction[axis] = load<V>(x + axis * kBlockEdges + e);
      squared += direction[axis] * direction[axis];
    }
    const V r = square_root(squared);
    store(block.r + e, r);
    // Harmonics are functions of the direction; a vector of length 0 has none.
    const V factor = r > 0 ? static_cast<T>(1.7320508075688772) / r : V{};
    for (int axis = 0; axis < 3; ++axis) {
      direction[axis] *= factor;
      store(x + axis * kBlockEdges + e, direction[axis]);
    }
    const HarmonicTerm* term = layout.harmonic_terms;
    const HarmonicTerm* end = term + layout.n_harmonic_terms;
    while (term != end) {
      const int target = term->target;
      V sum = {};
      for (; term != end && term->target == target; ++term) {
        sum += value_of<T>(term->value, term->value_float) * direction[term->axis] *
               load<V>(block.y + term->previous * kBlockEdges + e);
      }
      store(block.y + target * kBlockEdges + e, sum);
    }
  }
  for (int e = 0; e < n; ++e) block.y[e] = e < block.n_edges ? T{1} : T{0};
}

template <typename T>
inline void locate(const RadialTable<T>& table, Block<T>& block) {
  int32_t cells[kBlockEdges];
  const T last = static_cast<T>(table.n_cells - 1);
  for (int edge = 0; edge < block.n_edges; ++edge) {
    const T cell = (block.r[edge] - table.knots[0]) * table.cells_per_length;
    // Written so that NaN leads to the first knot and not outside the table.
    cells[edge] = static_cast<int32_t>(cell > 0 ? (cell < last ? cell : last) : T{0});
  }
  for (int edge = 0; edge < block.n_edges; ++edge) {
    const T r = block.r[edge];
    int64_t i = table.first_interval[cells[edge]];
    while (r >= table.ends[i]) ++i;
    const T t = (r - table.knots[i]) * table.inverse[i];
    block.interval[edge] = i;
    block.fraction[edge] = t > 0 ? (t < 1 ? t : T{1}) : T{0};
  }
}

// The harmonics of degree l of an edge; consecutive orders are kLanes apart.
template <typename T, int kChannels>
inline T* harmonics_slot(const Block<T>& block, int l, int edge) {
  constexpr int kE = kEdges<T, kChannels>;
  const int64_t row = int64_t{l} * l * block.n_vectors + edge / kE * (2 * l + 1);
  return block.sh + row * kLanes<T, kChannels> + edge % kE * kChannels;
}

// Number of orders (l_I, m_I) of the features of a part.
inline int64_t n_orders(const Part& part) { return int64_t{part.l_in + 1} * (part.l_in + 1); }

// The packed features of a vector of edges. Space for one more order stays unused: features at
// distances of a power of two would share sets of the cache and evict each other.
template <typename T, int kChannels>
inline T* features_slot(T* packed, const Part& part, int vector) {
  return packed + vector * (n_orders(part) + 1) * kLanes<T, kChannels>;
}

// Whether rows of state already have the layout of packed features.
template <typename T, int kChannels>
inline bool reads_state(const Part& part, const Chunk& chunk) {
  return kEdges<T, kChannels> == 1 && part.channels == kChannels && chunk.valid == kChannels;
}

// The first feature of a sender, or its gradient, in a matrix like state.
template <typename T>
inline T* row_of(T* matrix, int64_t stride, int64_t sender, const Part& part, const Chunk& chunk) {
  return matrix + sender * stride + part.state_start + chunk.channel;
}

// The weights of an edge; consecutive paths are kLanes apart.
template <typename T, int kChannels>
inline T* weight_slot(T* packed, const Part& part, int edge) {
  constexpr int kE = kEdges<T, kChannels>;
  return packed + int64_t{edge / kE} * part.n_paths * kLanes<T, kChannels> + edge % kE * kChannels;
}

// Calls body(edge) for the unused edges of the last vector.
template <typename T, int kChannels, typename Body>
inline void for_padding(const Block<T>& block, const Body& body) {
  for (int e = block.n_edges; e < block.n_vectors * kEdges<T, kChannels>; ++e) body(e);
}

template <typename T, int kChannels>
inline void pack_harmonics(const Layout& layout, Block<T>& block) {
  constexpr int kE = kEdges<T, kChannels>;
  using U = Vector<T, kChannels>;
  block.n_vectors = (block.n_edges + kE - 1) / kE;
  if constexpr (kE > 1) {
    for (int l = 0; l <= layout.l_max; ++l) {
      for (int edge = 0; edge < block.n_vectors * kE; ++edge) {
        T* target = harmonics_slot<T, kChannels>(block, l, edge);
        for (int m = 0; m < 2 * l + 1; ++m, target += kLanes<T, kChannels>) {
          store(target, broadcast<U>(block.y[(l * l + m) * kBlockEdges + edge]));
        }
      }
    }
  }
}

// Calls body.operator()<valid>() with the number of channels of a chunk. It is a constant where
// speed matters: if all lanes are used, or only few, as by the plain scalars. Otherwise it is 0,
// which stands for chunk.valid.
template <int kChannels, typename Body>
inline void with_valid(const Chunk& chunk, const Body& body) {
  if (chunk.valid == kChannels) return body.template operator()<kChannels>();
  switch (chunk.valid) {
    case 1:
      return body.template operator()<1>();
    case 2:
      return body.template operator()<2>();
    case 3:
      return body.template operator()<3>();
    default:
      return body.template operator()<0>();
  }
}

// Prefetches the senders' rows of a matrix, for a block that begins at edge `first`.
template <typename T>
inline void prefetch_senders(const Layout& layout, const Inputs<T>& in, const T* rows,
                             int64_t stride, int64_t first, int64_t last_edge) {
  const int64_t width = layout.parts[1].state_start + layout.parts[1].channels;
  const int64_t end = last_edge - first < kBlockEdges ? last_edge : first + kBlockEdges;
  for (int64_t edge = first; edge < end; ++edge) prefetch(rows + in.sender[edge] * stride, width);
}

template <typename T, int kChannels>
inline void pack_features(const Part& part, const Inputs<T>& in, Block<T>& block,
                          const Chunk& chunk) {
  constexpr int kE = kEdges<T, kChannels>;
  const int64_t* sender = in.sender + block.first;
  if (reads_state<T, kChannels>(part, chunk)) {
    for (int edge = 0; edge < block.n_edges; ++edge) {
      block.rows[edge] = row_of(in.state, in.state_stride, sender[edge], part, chunk);
    }
    return;
  }
  for (int vector = 0; vector < block.n_vectors; ++vector) {
    block.rows[vector] = features_slot<T, kChannels>(block.h, part, vector);
  }
  const int64_t n = n_orders(part);
  with_valid<kChannels>(chunk, [&]<int kValid>() {
    for (int edge = 0; edge < block.n_edges; ++edge) {
      const T* source = row_of(in.state, in.state_stride, sender[edge], part, chunk);
      T* target = features_slot<T, kChannels>(block.h, part, edge / kE) + edge % kE * kChannels;
      for (int64_t order = 0; order < n; ++order) {
        copy_some<kChannels>(target + order * kLanes<T, kChannels>, source + order * part.channels,
                             kValid > 0 ? kValid : chunk.valid);
      }
    }
  });
  for_padding<T, kChannels>(block, [&](int edge) {
    T* target = features_slot<T, kChannels>(block.h, part, edge / kE) + edge % kE * kChannels;
    for (int64_t order = 0; order < n; ++order) {
      store(target + order * kLanes<T, kChannels>, Vector<T, kChannels>{});
    }
  });
}

// Prefetches what the edge after the next will read or write in two rows of a table; for the next
// edge it would be too late.
template <typename T, int kChannels>
inline void prefetch_weights(const RadialTable<T>& table, const T* values, const Block<T>& block,
                             int edge, int n_paths, const Chunk& chunk) {
  if (edge + 2 >= block.n_edges) return;
  const T* low = values + block.interval[edge + 2] * table.stride + chunk.table_start;
  prefetch(low, n_paths * kChannels);
  prefetch(low + table.stride, n_paths * kChannels);
}

// Weights of one edge, interpolated in the table.
template <typename T, int kChannels>
inline void interpolate(const RadialTable<T>& table, int64_t interval, T fraction, int n_paths,
                        const Chunk& chunk, T* target) {
  using U = Vector<T, kChannels>;
  const T* low = table.values + interval * table.stride + chunk.table_start;
  const T* high = low + table.stride;
  const U lowest = broadcast<U>(table.rectify ? T{0} : -static_cast<T>(__builtin_huge_val()));
  for (int p = 0; p < n_paths; ++p) {
    const U weight =
        load<U>(low + p * kChannels) * (1 - fraction) + load<U>(high + p * kChannels) * fraction;
    store<U>(target + p * kLanes<T, kChannels>, weight < lowest ? lowest : weight);
  }
}

template <typename T, int kChannels>
inline void pack_weights(const Part& part, const Inputs<T>& in, Block<T>& block,
                         const Chunk& chunk) {
  constexpr int kL = kLanes<T, kChannels>;
  const int n_paths = part.n_paths;
  for (int edge = 0; edge < block.n_edges; ++edge) {
    T* target = weight_slot<T, kChannels>(block.weights, part, edge);
    if (in.table.knots) {
      prefetch_weights<T, kChannels>(in.table, in.table.values, block, edge, n_paths, chunk);
      interpolate<T, kChannels>(in.table, block.interval[edge], block.fraction[edge], n_paths,
                                chunk, target);
      continue;
    }
    const T* row = in.radial + (block.first + edge) * in.radial_stride + part.radial_start;
    for (int p = 0; p < n_paths; ++p) {
      copy_some<kChannels>(target + p * kL,
                           row + part.paths[p].index * part.channels + chunk.channel, chunk.valid);
    }
  }
  for_padding<T, kChannels>(block, [&](int edge) {
    T* target = weight_slot<T, kChannels>(block.weights, part, edge);
    for (int p = 0; p < n_paths; ++p) store(target + p * kL, Vector<T, kChannels>{});
  });
}

// Sets gradient_rows, to which the gradients of features are added: rows of the gradient of state,
// or zeros.
template <typename T, int kChannels>
inline void open_feature_gradient(const Part& part, const Inputs<T>& in, Block<T>& block,
                                  const Chunk& chunk, const Gradients<T>& gradients) {
  if (gradients.state && reads_state<T, kChannels>(part, chunk)) {
    for (int edge = 0; edge < block.n_edges; ++edge) {
      block.gradient_rows[edge] = row_of(gradients.state, gradients.state_width,
                                         in.sender[block.first + edge], part, chunk);
    }
    return;
  }
  const int64_t n = n_orders(part) * kLanes<T, kChannels>;
  for (int vector = 0; vector < block.n_vectors; ++vector) {
    T* row = features_slot<T, kChannels>(block.h_gradient, part, vector);
    for (int64_t k = 0; k < n; ++k) row[k] = 0;
    block.gradient_rows[vector] = row;
  }
}

template <typename T, int kChannels>
inline void unpack_feature_gradient(const Part& part, const Inputs<T>& in, const Block<T>& block,
                                    const Chunk& chunk, const Gradients<T>& gradients) {
  if (reads_state<T, kChannels>(part, chunk)) return;
  constexpr int kE = kEdges<T, kChannels>;
  const int64_t n = n_orders(part);
  with_valid<kChannels>(chunk, [&]<int kValid>() {
    for (int edge = 0; edge < block.n_edges; ++edge) {
      T* target = row_of(gradients.state, gradients.state_width, in.sender[block.first + edge],
                         part, chunk);
      const T* source = block.gradient_rows[edge / kE] + edge % kE * kChannels;
      for (int64_t order = 0; order < n; ++order) {
        add_some<kChannels>(target + order * part.channels,
                            load<Vector<T, kChannels>>(source + order * kLanes<T, kChannels>),
                            kValid > 0 ? kValid : chunk.valid);
      }
    }
  });
}

template <typename T, int kChannels>
inline void unpack_radial_gradient(const Part& part, const Block<T>& block, const Chunk& chunk,
                                   const Gradients<T>& gradients) {
  for (int edge = 0; edge < block.n_edges; ++edge) {
    T* row = gradients.radial + (block.first + edge) * gradients.radial_width + part.radial_start;
    const T* source = weight_slot<T, kChannels>(block.weight_gradient, part, edge);
    for (int p = 0; p < part.n_paths; ++p, source += kLanes<T, kChannels>) {
      store_some<kChannels>(row + part.paths[p].index * part.channels + chunk.channel,
                            load<Vector<T, kChannels>>(source), chunk.valid);
    }
  }
}

template <typename T, int kChannels>
inline void unpack_table_gradient(const Part& part, const Inputs<T>& in, const Block<T>& block,
                                  const Chunk& chunk, const Gradients<T>& gradients) {
  using U = Vector<T, kChannels>;
  constexpr int kL = kLanes<T, kChannels>;
  const int n_paths = part.n_paths;
  for (int edge = 0; edge < block.n_edges; ++edge) {
    const T* source = weight_slot<T, kChannels>(block.weight_gradient, part, edge);
    const T* weights = weight_slot<T, kChannels>(block.weights, part, edge);
    T* low = gradients.table + block.interval[edge] * in.table.stride + chunk.table_start;
    T* high = low + in.table.stride;
    const T t = block.fraction[edge];
    prefetch_weights<T, kChannels>(in.table, gradients.table, block, edge, n_paths, chunk);
    for (int p = 0; p < n_paths; ++p) {
      U gradient = load<U>(source + p * kL);
      if (in.table.rectify) gradient = load<U>(weights + p * kL) > 0 ? gradient : U{};
      store<U>(low + p * kChannels, load<U>(low + p * kChannels) + gradient * (1 - t));
      store<U>(high + p * kChannels, load<U>(high + p * kChannels) + gradient * t);
    }
  }
}

}  // namespace
}  // namespace glassml::GLASSML_SIMD_LEVEL
