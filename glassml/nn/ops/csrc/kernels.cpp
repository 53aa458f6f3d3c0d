// Forward and backward kernels, compiled once for every vector extension (see kernels.h).
//
// Channels do not mix in the sums over neighbours, so channels and edges are the lanes of the
// vectors, and the edges of a receiver are worked off in blocks that stay in the caches
// (packing.h). Channels are mixed at the end, while the sums of a receiver are still in the cache.

#include "edge_gradients.h"
#include "mixing.h"

namespace glassml::GLASSML_SIMD_LEVEL {
namespace {

// Calls body.operator()<channels>(part, chunk) with everything packed, for all edges of a receiver.
template <typename T, typename Body>
inline void for_blocks(const Layout& layout, const Inputs<T>& in, int64_t receiver, Block<T>& block,
                       const Body& body) {
  const int64_t end = in.first_edge[receiver + 1];
  for (int64_t first = in.first_edge[receiver]; first < end; first += kBlockEdges) {
    block.first = first;
    block.n_edges = static_cast<int>(end - first < kBlockEdges ? end - first : kBlockEdges);
    evaluate_harmonics(layout, in, block);
    if (in.table.knots) locate(in.table, block);
    int packed = 0;  // lanes that the harmonics were packed for
    for (const Part& part : layout.parts) {
      for (int c = 0; c < part.n_chunks; ++c) {
        const Chunk& chunk = part.chunks[c];
        with_lanes(chunk.lanes, [&]<int kChannels>() {
          if (packed != kChannels) pack_harmonics<T, kChannels>(layout, block);
          packed = kChannels;
          pack_features<T, kChannels>(part, in, block, chunk);
          pack_weights<T, kChannels>(part, in, block, chunk);
          body.template operator()<kChannels>(part, chunk);
        });
      }
    }
  }
}

inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

inline int64_t n_rows(const Part& part) { return int64_t{part.l_in + 1} * (part.l_in + 1); }

// Distributes the scratch memory, of which `row` is one result row.
template <typename T>
inline Block<T> make_block(const Layout& layout, T* scratch, T*& row) {
  const int64_t slots = kBlockEdges * kMaxLanes;
  const int64_t rows = larger(n_rows(layout.parts[0]), n_rows(layout.parts[1])) * slots;
  const int64_t paths = larger(layout.parts[0].n_paths, layout.parts[1].n_paths) * slots;
  const int64_t harmonics = larger(layout.n_harmonics, 4);  // a vector has three
  Block<T> block;
  block.r = scratch;
  block.y = block.r + kBlockEdges;
  block.sh = block.y + harmonics * kBlockEdges;
  block.h = block.sh + harmonics * slots;
  block.weights = block.h + rows;
  row = block.weights + paths;
  block.h_gradient = row + layout.result_width + kMaxLanes;
  block.weight_gradient = block.h_gradient + rows;
  return block;
}

template <typename T>
void forward(const Layout& layout, const Inputs<T>& in, int64_t begin, int64_t end, T* product,
             T* mixed, T* scratch) {
  T* row = nullptr;
  Block<T> block = make_block(layout, scratch, row);
  for (int64_t receiver = begin; receiver < end; ++receiver) {
    if (product) row = product + receiver * layout.result_width;
    for (int64_t column = 0; column < layout.result_width; ++column) row[column] = 0;
    for_blocks(layout, in, receiver, block,
               [&]<int kChannels>(const Part& part, const Chunk& chunk) {
                 for (int g = 0; g < part.n_groups; ++g) {
                   forward_group<T, kChannels>(layout, part, block, part.groups[g], chunk, row);
                 }
               });
    if (mixed) {
      mix(layout, in.mixing, row, mixed + receiver * layout.n_harmonics * in.mixing.n_columns);
    }
  }
}

template <typename T>
void backward(const Layout& layout, const Inputs<T>& in, int64_t begin, int64_t end,
              const Gradients<T>& gradients, T* scratch) {
  const int64_t n_mixed = layout.n_harmonics * in.mixing.n_columns;
  T* unmixed = nullptr;
  Block<T> block = make_block(layout, scratch, unmixed);
  for (int64_t receiver = begin; receiver < end; ++receiver) {
    const T* row = gradients.result + receiver * layout.result_width;
    if (in.mixing.n_columns > 0) {
      const T* gradient = gradients.result + receiver * n_mixed;
      if (gradients.mixing) {
        add_mixing_gradient(layout, in.mixing, gradients.product + receiver * layout.result_width,
                            gradient, gradients.mixing);
      }
      unmix(layout, in.mixing, gradient, unmixed);
      row = unmixed;
    }
    for_blocks(layout, in, receiver, block,
               [&]<int kChannels>(const Part& part, const Chunk& chunk) {
                 const int64_t used = block.n_vectors * n_rows(part) * kLanes<T, kChannels>;
                 for (int64_t k = 0; k < used; ++k) block.h_gradient[k] = 0;
                 for (int g = 0; g < part.n_groups; ++g) {
                   backward_group<T, kChannels>(layout, part, block, part.groups[g], chunk, row);
                 }
                 if (gradients.state) {
                   unpack_feature_gradient<T, kChannels>(part, in, block, chunk, gradients);
                 }
                 if (gradients.radial)
                   unpack_radial_gradient<T, kChannels>(part, block, chunk, gradients);
                 if (gradients.table)
                   unpack_table_gradient<T, kChannels>(part, in, block, chunk, gradients);
               });
  }
}

}  // namespace

const Kernels kernels = {forward<float>, forward<double>, backward<float>, backward<double>};

}  // namespace glassml::GLASSML_SIMD_LEVEL
