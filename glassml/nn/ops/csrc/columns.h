// Where the loops over the edges of a block read their data.
#pragma once

#include "packing.h"

namespace glassml::GLASSML_SIMD_LEVEL {
namespace {

// What one call of an edge loop reads: the harmonics and weights of the first vector, the distance
// to the weights of the next one, and pointers to the features of every vector.
template <typename T>
struct Columns {
  const T* sh;
  const T* const* rows;
  int64_t offset;  // position of the first order m_I in a row
  const T* weights;
  int64_t weight_stride;
};

// The harmonics of a vector of edges, for all channels.
template <typename T, int kChannels, int kOrders>
struct Harmonics {
  static constexpr bool kPacked = kEdges<T, kChannels> > 1;
  static constexpr int kL = kLanes<T, kChannels>;
  static constexpr int kStride = kPacked ? kOrders * kL : 1;
  using V = Vector<T, kL>;

  static V of(const T* sh, int m) {
    if constexpr (kPacked) return load<V>(sh + m * kL);
    return broadcast<V>(sh[m * kBlockEdges]);
  }
};

template <typename T, int kChannels>
inline Columns<T> columns_of(const Part& part, const Block<T>& block, const PathGroup& group,
                             int path) {
  constexpr int kL = kLanes<T, kChannels>;
  return Columns<T>{
      kEdges<T, kChannels> > 1 ? block.sh + int64_t{group.l_F} * group.l_F * block.n_vectors * kL
                               : block.y + group.l_F * group.l_F * kBlockEdges,
      block.rows,
      int64_t{group.l_I} * group.l_I * kL,
      block.weights + (group.first_path + path) * kL,
      int64_t{part.n_paths} * kL,
  };
}

// First column of the results of a path and a chunk in a result row, for m_O = -l_O.
inline int64_t result_column(const Part& part, const Path& path, const Chunk& chunk) {
  return part.result_start[path.l_O] + path.position * part.channels + chunk.channel;
}

}  // namespace
}  // namespace glassml::GLASSML_SIMD_LEVEL
