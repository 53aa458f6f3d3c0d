// Forward and backward kernels, compiled once for every vector extension (see kernels.h).
//
// Channels do not mix in this operator, so channels and edges are the lanes of the vectors, and the
// edges of a receiver are worked off in blocks that stay in the caches (packing.h).
//
// Forward, for each block and each pair (l_I, l_F): first the sums over edges of
//   product[path][m_I][m_F] = radial * Y[m_F] * h[m_I],
// kept in registers while the edges pass; then Clebsch-Gordan coefficients, once per block.
// Backward is the transpose: coefficients once per block, then one pass over the edges.

#include "packing.h"

namespace glassml::GLASSML_SIMD_LEVEL {
namespace {

constexpr int kMaxOrders = 2 * kMaxDegree + 1;
constexpr int kMaxPathsOfPair = kMaxDegree + 1;
constexpr int kMaxProducts = kMaxPathsOfPair * kMaxOrders * kMaxOrders;
constexpr int kMaxTile = 4;  // paths of a pair that are worked on at once

// Paths whose products [path][m_F] fit into the registers together.
template <typename T, int kChannels>
constexpr int tile_size(int n_F) {
  const int bytes = static_cast<int>(sizeof(T)) * kLanes<T, kChannels>;
  const int registers = bytes > kRegisterBytes ? bytes / kRegisterBytes : 1;
  const int paths = (kRegisters - 4) / registers / n_F;
  return paths < 1 ? 1 : (paths > kMaxTile ? kMaxTile : paths);
}

template <typename T>
inline T value_of(const Coefficient& coefficient);
template <>
inline float value_of<float>(const Coefficient& coefficient) {
  return coefficient.value_float;
}
template <>
inline double value_of<double>(const Coefficient& coefficient) {
  return coefficient.value;
}

// What one call of an edge loop reads: the first vector, and the distance to the next one.
template <typename T>
struct Columns {
  const T* sh;
  const T* h;
  const T* weights;
  int64_t sh_stride;
  int64_t h_stride;
  int64_t weight_stride;
};

template <typename T, int kChannels>
inline Columns<T> columns_of(const Part& part, const Block<T>& block, const PathGroup& group,
                             int tile) {
  constexpr int kL = kLanes<T, kChannels>;
  return Columns<T>{block.sh + group.l_F * group.l_F * kL,
                    block.h + group.l_I * group.l_I * kL,
                    block.weights + (group.first_path + tile) * kL,
                    int64_t{block.n_harmonics} * kL,
                    int64_t{part.n_rows} * kL,
                    int64_t{part.n_paths} * kL};
}

// ---------------------------------------------------------------------------------- forward

// products[path * path_stride + m_F] = sum over edges of radial[path] * Y[m_F] * h, for one m_I.
template <typename T, int kChannels, int kOrders, int kPaths>
void sum_over_edges(Columns<T> columns, int n_vectors, Vector<T, kChannels>* products,
                    int path_stride) {
  constexpr int kL = kLanes<T, kChannels>;
  using V = Vector<T, kL>;
  V sums[kPaths][kOrders] = {};
  for (int vector = 0; vector < n_vectors; ++vector) {
    const V h = load<V>(columns.h);
    for (int p = 0; p < kPaths; ++p) {
      const V weighted = h * load<V>(columns.weights + p * kL);
      for (int m = 0; m < kOrders; ++m) sums[p][m] += weighted * load<V>(columns.sh + m * kL);
    }
    columns.sh += columns.sh_stride;
    columns.h += columns.h_stride;
    columns.weights += columns.weight_stride;
  }
  for (int p = 0; p < kPaths; ++p) {
    for (int m = 0; m < kOrders; ++m) {
      products[p * path_stride + m] = folded<T, kChannels>(sums[p][m]);
    }
  }
}

template <typename T, int kChannels>
using SumOverEdges = void (*)(Columns<T>, int, Vector<T, kChannels>*, int);

template <typename T, int kChannels, int kOrders>
constexpr SumOverEdges<T, kChannels> kSumOfTile[kMaxTile] = {
    sum_over_edges<T, kChannels, kOrders, 1>, sum_over_edges<T, kChannels, kOrders, 2>,
    sum_over_edges<T, kChannels, kOrders, 3>, sum_over_edges<T, kChannels, kOrders, 4>};

template <typename T, int kChannels>
constexpr const SumOverEdges<T, kChannels>* kSum[kMaxDegree + 1] = {
    kSumOfTile<T, kChannels, 1>, kSumOfTile<T, kChannels, 3>, kSumOfTile<T, kChannels, 5>,
    kSumOfTile<T, kChannels, 7>, kSumOfTile<T, kChannels, 9>};

// Adds products [m_I][m_F] times coefficients to the result row of a receiver.
template <typename T, int kChannels>
inline void apply_coefficients(const Part& part, const Path& path, int64_t row_stride,
                               const Chunk& chunk, const Vector<T, kChannels>* products, T* row) {
  const int64_t column = path.position * part.channels + chunk.channel;
  T* block = row + part.result_start[path.l_O] + column;
  int k = path.first_coefficient;
  while (k < path.last_coefficient) {
    const int m_O = part.by_result[k].m_O;
    Vector<T, kChannels> sum = {};
    for (; k < path.last_coefficient && part.by_result[k].m_O == m_O; ++k) {
      sum += products[part.by_result[k].product] * value_of<T>(part.by_result[k]);
    }
    add_some<kChannels>(block + m_O * row_stride, sum, chunk.valid);
  }
}

// Adds the paths of one group.
template <typename T, int kChannels>
void forward_group(const Layout& layout, const Part& part, const Block<T>& block,
                   const PathGroup& group, const Chunk& chunk, T* row) {
  const int n_I = 2 * group.l_I + 1;
  const int n_F = 2 * group.l_F + 1;
  const int largest = tile_size<T, kChannels>(n_F);
  Vector<T, kChannels> products[kMaxProducts];  // [path][m_I][m_F]
  for (int tile = 0; tile < group.n_paths; tile += largest) {
    const int n_tile = group.n_paths - tile < largest ? group.n_paths - tile : largest;
    Columns<T> columns = columns_of<T, kChannels>(part, block, group, tile);
    for (int m = 0; m < n_I; ++m, columns.h += kLanes<T, kChannels>) {
      kSum<T, kChannels>[group.l_F][n_tile - 1](columns, block.n_vectors,
                                                products + (tile* n_I + m)* n_F, n_I* n_F);
    }
  }
  for (int p = 0; p < group.n_paths; ++p) {
    const Path& path = part.paths[group.first_path + p];
    apply_coefficients<T, kChannels>(part, path, layout.block_columns[path.l_O], chunk,
                                     products + p * n_I * n_F, row);
  }
}

// ------------------------------------------------------------------------ blocks of receivers

// Calls body.operator()<channels>(part, block, chunk) with everything packed, for all edges of a
// receiver.
template <typename T, typename Body>
inline void for_blocks(const Layout& layout, const Inputs<T>& in, int64_t receiver, Block<T>& block,
                       const Body& body) {
  const int64_t end = in.first_edge[receiver + 1];
  for (int64_t first = in.first_edge[receiver]; first < end; first += kBlockEdges) {
    block.first = first;
    block.n_edges = static_cast<int>(end - first < kBlockEdges ? end - first : kBlockEdges);
    if (in.table.r) locate(in.table, block);
    int packed = 0;  // lanes that the harmonics were packed for
    for (const Part& part : layout.parts) {
      for (int c = 0; c < part.n_chunks; ++c) {
        const Chunk& chunk = part.chunks[c];
        with_lanes(chunk.lanes, [&]<int kChannels>() {
          if (packed != kChannels) pack_harmonics<T, kChannels>(in, block);
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

// Distributes the scratch memory.
template <typename T>
inline Block<T> make_block(const Layout& layout, T* scratch) {
  const int64_t slots = kBlockEdges * kMaxLanes;
  const int64_t rows = larger(layout.parts[0].n_rows, layout.parts[1].n_rows) * slots;
  const int64_t paths = larger(layout.parts[0].n_paths, layout.parts[1].n_paths) * slots;
  Block<T> block;
  block.n_harmonics = layout.n_harmonics;
  block.sh = scratch;
  block.h = block.sh + layout.n_harmonics * slots;
  block.weights = block.h + rows;
  block.h_gradient = block.weights + paths;
  block.weight_gradient = block.h_gradient + rows;
  return block;
}

template <typename T>
void forward(const Layout& layout, const Inputs<T>& in, int64_t begin, int64_t end, T* result,
             T* scratch) {
  Block<T> block = make_block(layout, scratch);
  for (int64_t receiver = begin; receiver < end; ++receiver) {
    T* row = result + receiver * layout.result_width;
    for (int64_t column = 0; column < layout.result_width; ++column) row[column] = 0;
    for_blocks(layout, in, receiver, block,
               [&]<int kChannels>(const Part& part, const Chunk& chunk) {
                 for (int g = 0; g < part.n_groups; ++g) {
                   forward_group<T, kChannels>(layout, part, block, part.groups[g], chunk, row);
                 }
               });
  }
}

// --------------------------------------------------------------------------------- backward

// From `products`, the gradient [path][m_I][m_F] of a receiver's sums, to gradients of its edges.
template <typename T, int kChannels, int kOrders, int kPaths>
void spread_over_edges(Columns<T> columns, int n_vectors,
                       const Vector<T, kLanes<T, kChannels>>* products, int n_I, T* h_gradients,
                       T* weight_gradients) {
  constexpr int kL = kLanes<T, kChannels>;
  using V = Vector<T, kL>;
  for (int vector = 0; vector < n_vectors; ++vector) {
    V harmonics[kOrders], weights[kPaths], of_weights[kPaths] = {};
    for (int m = 0; m < kOrders; ++m) harmonics[m] = load<V>(columns.sh + m * kL);
    for (int p = 0; p < kPaths; ++p) weights[p] = load<V>(columns.weights + p * kL);
    for (int m_I = 0; m_I < n_I; ++m_I) {
      const V h = load<V>(columns.h + m_I * kL);
      V of_h = load<V>(h_gradients + m_I * kL);
      for (int p = 0; p < kPaths; ++p) {
        const V* product = products + (p * n_I + m_I) * kOrders;
        V contracted = product[0] * harmonics[0];
        for (int m = 1; m < kOrders; ++m) contracted += product[m] * harmonics[m];
        of_weights[p] += contracted * h;
        of_h += contracted * weights[p];
      }
      store(h_gradients + m_I * kL, of_h);
    }
    for (int p = 0; p < kPaths; ++p) store(weight_gradients + p * kL, of_weights[p]);
    columns.sh += columns.sh_stride;
    columns.h += columns.h_stride;
    h_gradients += columns.h_stride;
    columns.weights += columns.weight_stride;
    weight_gradients += columns.weight_stride;
  }
}

template <typename T, int kChannels>
using SpreadOverEdges = void (*)(Columns<T>, int, const Vector<T, kLanes<T, kChannels>>*, int, T*,
                                 T*);

template <typename T, int kChannels, int kOrders>
constexpr SpreadOverEdges<T, kChannels> kSpreadOfTile[kMaxTile] = {
    spread_over_edges<T, kChannels, kOrders, 1>, spread_over_edges<T, kChannels, kOrders, 2>,
    spread_over_edges<T, kChannels, kOrders, 3>, spread_over_edges<T, kChannels, kOrders, 4>};

template <typename T, int kChannels>
constexpr const SpreadOverEdges<T, kChannels>* kSpread[kMaxDegree + 1] = {
    kSpreadOfTile<T, kChannels, 1>, kSpreadOfTile<T, kChannels, 3>, kSpreadOfTile<T, kChannels, 5>,
    kSpreadOfTile<T, kChannels, 7>, kSpreadOfTile<T, kChannels, 9>};

// Gradients of the products [path][m_I][m_F] of a group, the same for every edge of a vector.
template <typename T, int kChannels>
inline void transposed_coefficients(const Layout& layout, const Part& part, const PathGroup& group,
                                    const Chunk& chunk, const T* row, T* products) {
  constexpr int kL = kLanes<T, kChannels>;
  using U = Vector<T, kChannels>;
  const int n_products = (2 * group.l_I + 1) * (2 * group.l_F + 1);
  for (int p = 0; p < group.n_paths; ++p, products += n_products * kL) {
    const Path& path = part.paths[group.first_path + p];
    const T* block =
        row + part.result_start[path.l_O] + path.position * part.channels + chunk.channel;
    int k = path.first_coefficient;
    for (int product = 0; product < n_products; ++product) {
      U sum = {};
      for (; k < path.last_coefficient && part.by_product[k].product == product; ++k) {
        const Coefficient& c = part.by_product[k];
        const T* source = block + c.m_O * layout.block_columns[path.l_O];
        sum += load_some<kChannels>(source, chunk.valid) * value_of<T>(c);
      }
      for (int e = 0; e < kL; e += kChannels) store(products + product * kL + e, sum);
    }
  }
}

template <typename T, int kChannels>
void backward_group(const Layout& layout, const Part& part, const Block<T>& block,
                    const PathGroup& group, const Chunk& chunk, const T* row) {
  constexpr int kL = kLanes<T, kChannels>;
  using V = Vector<T, kL>;
  const int n_I = 2 * group.l_I + 1;
  V products[kMaxProducts];
  transposed_coefficients<T, kChannels>(layout, part, group, chunk, row,
                                        reinterpret_cast<T*>(products));
  for (int tile = 0; tile < group.n_paths; tile += kMaxTile) {
    const int n_tile = group.n_paths - tile < kMaxTile ? group.n_paths - tile : kMaxTile;
    const Columns<T> columns = columns_of<T, kChannels>(part, block, group, tile);
    kSpread<T, kChannels>[group.l_F][n_tile - 1](
        columns, block.n_vectors, products + tile* n_I*(2 * group.l_F + 1), n_I,
        block.h_gradient + (columns.h - block.h),
        block.weight_gradient + (columns.weights - block.weights));
  }
}

template <typename T>
void backward(const Layout& layout, const Inputs<T>& in, int64_t begin, int64_t end,
              const Gradients<T>& gradients, T* scratch) {
  Block<T> block = make_block(layout, scratch);
  for (int64_t receiver = begin; receiver < end; ++receiver) {
    const T* row = gradients.result + receiver * layout.result_width;
    for_blocks(layout, in, receiver, block,
               [&]<int kChannels>(const Part& part, const Chunk& chunk) {
                 const int64_t used = int64_t{block.n_vectors} * part.n_rows * kLanes<T, kChannels>;
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
