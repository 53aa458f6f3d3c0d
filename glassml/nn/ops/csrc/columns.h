// Where the loops over the edges of a block read.
#pragma once

#include "packing.h"

namespace glassml::GLASSML_SIMD_LEVEL {
namespace {

// What one call of an edge loop reads: its first vector, and the distance to the next one.
template <typename T>
struct Columns {
  const T* sh;
  const T* h;
  const T* weights;
  int64_t h_stride;
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
  const int64_t n = block.n_vectors;
  return Columns<T>{
      kEdges<T, kChannels> > 1 ? block.sh + group.l_F * group.l_F * n * kL
                               : block.y + group.l_F * group.l_F * kBlockEdges,
      block.h + group.l_I * group.l_I * n * kL,
      block.weights + (group.first_path + path) * kL,
      int64_t{2 * group.l_I + 1} * kL,
      int64_t{part.n_paths} * kL,
  };
}

// Where the results of a path and a chunk start in a result row, for m_O = -l_O.
inline int64_t result_column(const Part& part, const Path& path, const Chunk& chunk) {
  return part.result_start[path.l_O] + path.position * part.channels + chunk.channel;
}

}  // namespace
}  // namespace glassml::GLASSML_SIMD_LEVEL
