// Forward and backward kernels, compiled once for every vector extension (see kernels.h).
//
// Channels do not mix in the sums over neighbours, so the lanes of a vector are channels and edges.
// The edges of a receiver are processed in blocks that stay in the caches (packing.h). Channels are
// mixed at the end, while the sums of a receiver are still in the cache.

#include "couplings.h"
#include "edge_gradients.h"
#include "edge_sums.h"
#include "mixing.h"

namespace glassml::GLASSML_SIMD_LEVEL {
namespace {

// Packs all edges of a receiver and calls body.operator()<channels>(part, chunk) for each block.
// Edges up to last_edge are processed in later calls.
template <typename T, typename Body>
inline void for_blocks(const Layout& layout, const Inputs<T>& in, int64_t receiver,
                       int64_t last_edge, Block<T>& block, const Body& body) {
  const int64_t end = in.first_edge[receiver + 1];
  for (int64_t first = in.first_edge[receiver]; first < end; first += kBlockEdges) {
    block.first = first;
    block.n_edges = static_cast<int>(end - first < kBlockEdges ? end - first : kBlockEdges);
    prefetch_senders(layout, in, in.state, in.state_stride, first + block.n_edges, last_edge);
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

// Distributes the scratch memory (ConvolutionShape::scratch adds up the same sizes), of which `row`
// is one result row.
template <typename T>
inline Block<T> make_block(const Layout& layout, T* scratch, T*& row) {
  const int64_t slots = kBlockEdges * kMaxLanes;
  const int64_t rows = (larger(n_orders(layout.parts[0]), n_orders(layout.parts[1])) + 1) * slots;
  const int64_t paths = larger(layout.parts[0].n_paths, layout.parts[1].n_paths) * slots;
  const int64_t harmonics = larger(layout.n_harmonics, 4);  // rows 1 to 3 first hold the vectors
  Block<T> block;
  block.r = scratch;
  block.y = block.r + kBlockEdges;
  block.sh = block.y + harmonics * kBlockEdges;
  block.h = block.sh + harmonics * slots;
  block.weights = block.h + rows;
  block.couplings = block.weights + paths;
  row = block.couplings + kMaxCouplings * kBlockEdges;
  block.h_gradient = row + layout.result_width + kMaxLanes;
  block.weight_gradient = block.h_gradient + rows;
  return block;
}

// Adds the sum over the edges of a block to the result row, for a path that is coupled first.
template <typename T, int kChannels>
void forward_coupled(const Layout& layout, const Part& part, Block<T>& block,
                     const PathGroup& group, int p, const Chunk& chunk, T* row) {
  const Path& path = part.paths[group.first_path + p];
  Columns<T> columns = columns_of<T, kChannels>(part, block, group, p);
  columns.sh = block.couplings;
  Vector<T, kChannels> sums[kMaxOrders];
  couple(part, group, path, block);
  kSumCoupled<T, kChannels>[group.l_I][path.l_O](columns, block.n_edges, sums);
  T* target = row + result_column(part, path, chunk);
  for (int m = 0; m < 2 * path.l_O + 1; ++m, target += layout.block_columns[path.l_O]) {
    add_some<kChannels>(target, sums[m], chunk.valid);
  }
}

// Adds the sums over the edges of a block to the result row, for the paths of one group.
template <typename T, int kChannels>
void forward_group(const Layout& layout, const Part& part, Block<T>& block, const PathGroup& group,
                   const Chunk& chunk, T* row) {
  int p = 0;
  if constexpr (kCouples<T, kChannels>) {
    for (; p < group.n_coupled; ++p) {
      forward_coupled<T, kChannels>(layout, part, block, group, p, chunk, row);
    }
  }
  Vector<T, kChannels> products[kMaxProducts];  // [m_I][m_F]
  for (; p < group.n_paths; ++p) {
    const Path& path = part.paths[group.first_path + p];
    kSum<T, kChannels>[group.l_F][group.l_I](columns_of<T, kChannels>(part, block, group, p),
                                             block.n_vectors, products);
    apply_coefficients<T, kChannels>(part, path, layout.block_columns[path.l_O], chunk, products,
                                     row);
  }
}

// Adds the gradients of features, and writes those of weights, for a path that is coupled first.
template <typename T, int kChannels>
void backward_coupled(const Layout& layout, const Part& part, Block<T>& block,
                      const PathGroup& group, int p, const Chunk& chunk, const T* row) {
  const Path& path = part.paths[group.first_path + p];
  Columns<T> columns = columns_of<T, kChannels>(part, block, group, p);
  columns.sh = block.couplings;
  Vector<T, kChannels> sums[kMaxOrders];
  const T* source = row + result_column(part, path, chunk);
  for (int m = 0; m < 2 * path.l_O + 1; ++m, source += layout.block_columns[path.l_O]) {
    sums[m] = load_some<kChannels>(source, chunk.valid);
  }
  couple(part, group, path, block);
  kSpreadCoupled<T, kChannels>[group.l_I][path.l_O](
      columns, block.n_edges, sums, block.gradient_rows,
      block.weight_gradient + (columns.weights - block.weights));
}

// The same for the paths of one group.
template <typename T, int kChannels>
void backward_group(const Layout& layout, const Part& part, Block<T>& block, const PathGroup& group,
                    const Chunk& chunk, const T* row) {
  constexpr int kL = kLanes<T, kChannels>;
  const int n_I = 2 * group.l_I + 1;
  int p = 0;
  if constexpr (kCouples<T, kChannels>) {
    for (; p < group.n_coupled; ++p) {
      backward_coupled<T, kChannels>(layout, part, block, group, p, chunk, row);
    }
  }
  Vector<T, kL> products[kMaxPathTile * kMaxProducts];
  while (p < group.n_paths) {
    const int n_tile = group.n_paths - p < kMaxPathTile ? group.n_paths - p : kMaxPathTile;
    transposed_coefficients<T, kChannels>(layout, part, group, p, p + n_tile, chunk, row,
                                          reinterpret_cast<T*>(products));
    const Columns<T> columns = columns_of<T, kChannels>(part, block, group, p);
    kSpread<T, kChannels>[group.l_F][n_tile - 1](
        columns, block.n_vectors, products, n_I, block.gradient_rows,
        block.weight_gradient + (columns.weights - block.weights));
    p += n_tile;
  }
}

template <typename T>
void forward(const Layout& layout, const Inputs<T>& in, int64_t begin, int64_t end, T* product,
             T* mixed, T* scratch) {
  T* row = nullptr;
  Block<T> block = make_block(layout, scratch, row);
  const int64_t last_edge = in.first_edge[end];
  for (int64_t receiver = begin; receiver < end; ++receiver) {
    if (product) row = product + receiver * layout.result_width;
    for (int64_t column = 0; column < layout.result_width; ++column) row[column] = 0;
    for_blocks(layout, in, receiver, last_edge, block,
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
  const int64_t last_edge = in.first_edge[end];
  for (int64_t receiver = begin; receiver < end; ++receiver) {
    const T* row = unmixed;
    if (in.mixing.n_columns == 0) {
      row = gradients.result + receiver * layout.result_width;
    } else {
      const T* gradient = gradients.result + receiver * n_mixed;
      if (gradients.mixing) {
        const T* product = gradients.product + receiver * layout.result_width;
        add_mixing_gradient(layout, in.mixing, product, gradient, gradients.mixing);
        // Those of the next receiver are fetched while the edges of this one are processed.
        if (receiver + 1 < end) prefetch(product + layout.result_width, layout.result_width);
      }
      unmix(layout, in.mixing, gradient, unmixed);
    }
    if (gradients.state) {
      prefetch_senders<T>(layout, in, gradients.state, gradients.state_width,
                          in.first_edge[receiver], in.first_edge[receiver + 1]);
    }
    for_blocks(layout, in, receiver, last_edge, block,
               [&]<int kChannels>(const Part& part, const Chunk& chunk) {
                 open_feature_gradient<T, kChannels>(part, in, block, chunk, gradients);
                 for (int g = 0; g < part.n_groups; ++g) {
                   backward_group<T, kChannels>(layout, part, block, part.groups[g], chunk, row);
                 }
                 if (gradients.state) {
                   unpack_feature_gradient<T, kChannels>(part, in, block, chunk, gradients);
                 }
                 if (gradients.radial) {
                   unpack_radial_gradient<T, kChannels>(part, block, chunk, gradients);
                 }
                 if (gradients.table) {
                   unpack_table_gradient<T, kChannels>(part, in, block, chunk, gradients);
                 }
               });
  }
}

}  // namespace

const Kernels kernels = {forward<float>, forward<double>, backward<float>, backward<double>};

}  // namespace glassml::GLASSML_SIMD_LEVEL
