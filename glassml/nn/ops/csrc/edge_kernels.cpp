// Kernels of edge_update, compiled once for every vector extension (see kernels.h).
//
// Edges are processed in blocks, also across receivers: the hidden units of a block stay in the
// caches, and only results are written. Lanes of vectors are columns.

#include "edge_kernels.h"

#include "tiles.h"

namespace glassml::GLASSML_SIMD_LEVEL {
namespace {

static_assert(kUpdateEdges % kTileRows == 0);

// Edges first to first + n_edges - 1, and their receivers and senders. The last edge stands also in
// the places after it, up to a whole tile, so that a tile always has all its rows.
struct EdgeBlock {
  int64_t first;
  int n_edges;
  int64_t edge[kUpdateEdges];
  int64_t receiver[kUpdateEdges];
  int64_t sender[kUpdateEdges];
};

// Fills the block that begins at edge `first`, of receiver `receiver` or a later one.
template <typename T>
inline void fill(const EdgeInputs<T>& in, int64_t first, int64_t last_edge, int64_t receiver,
                 EdgeBlock& block) {
  block.first = first;
  block.n_edges =
      static_cast<int>(last_edge - first < kUpdateEdges ? last_edge - first : kUpdateEdges);
  for (int m = 0; m < kUpdateEdges; ++m) {
    const int64_t edge = first + (m < block.n_edges ? m : block.n_edges - 1);
    while (in.first_edge[receiver + 1] <= edge) ++receiver;
    block.edge[m] = edge;
    block.receiver[m] = receiver;
    block.sender[m] = in.sender[edge];
  }
}

// Calls body(block) for blocks of the edges of receivers begin <= i < end.
template <typename T, typename Body>
inline void for_blocks(const EdgeInputs<T>& in, int64_t begin, int64_t end, const Body& body) {
  const int64_t last_edge = in.first_edge[end];
  int64_t receiver = begin;
  for (int64_t first = in.first_edge[begin]; first < last_edge; first += kUpdateEdges) {
    EdgeBlock block;
    fill(in, first, last_edge, receiver, block);
    receiver = block.receiver[kUpdateEdges - 1];
    const int64_t next = first + block.n_edges;
    const int64_t stop = last_edge - next < kUpdateEdges ? last_edge : next + kUpdateEdges;
    for (int64_t edge = next; edge < stop; ++edge) {
      prefetch(in.edges + edge * in.edges_stride, in.width);
      prefetch(in.fixed + edge * in.fixed_stride, in.hidden);
      prefetch(in.of_sender + in.sender[edge] * in.of_sender_stride, in.hidden);
    }
    body(block);
  }
}

template <typename T>
inline LeftRows<T> rows_of(const T* matrix, int64_t stride, int tile) {
  LeftRows<T> rows;
  for (int r = 0; r < kTileRows; ++r) rows.row[r] = matrix + (tile + r) * stride;
  return rows;
}

// hidden [block, K] = max(0, A e + f + r + s)
template <typename T>
void hidden_units(const EdgeInputs<T>& in, const EdgeBlock& block, T* hidden) {
  for_panels<T>(in.hidden, [&]<int kLanes, int kVectors>(int64_t column) {
    using V = Vector<T, kLanes>;
    const T* weights = in.inner + column * in.width;
    for (int tile = 0; tile < block.n_edges; tile += kTileRows) {
      V sums[kTileRows][kVectors];
      LeftRows<T> edges;
      for (int r = 0; r < kTileRows; ++r) {
        const int64_t edge = block.edge[tile + r];
        edges.row[r] = in.edges + edge * in.edges_stride;
        const T* fixed = in.fixed + edge * in.fixed_stride + column;
        const T* receiver =
            in.of_receiver + block.receiver[tile + r] * in.of_receiver_stride + column;
        const T* sender = in.of_sender + block.sender[tile + r] * in.of_sender_stride + column;
        for (int c = 0; c < kVectors; ++c) {
          sums[r][c] = load<V>(fixed + c * kLanes) + load<V>(receiver + c * kLanes) +
                       load<V>(sender + c * kLanes);
        }
      }
      multiply<T, kLanes>(edges, weights, kLanes * kVectors, in.width, sums);
      for (int r = 0; r < kTileRows; ++r) {
        T* target = hidden + (tile + r) * in.hidden + column;
        for (int c = 0; c < kVectors; ++c) store(target + c * kLanes, rectified(sums[r][c]));
      }
    }
  });
}

// renewed = max(0, B h + b) of the edges of a block.
template <typename T>
void renewed_edges(const EdgeInputs<T>& in, const EdgeBlock& block, const T* hidden, T* renewed,
                   int64_t stride) {
  for_panels<T>(in.width, [&]<int kLanes, int kVectors>(int64_t column) {
    using V = Vector<T, kLanes>;
    const T* weights = in.outer + column * in.hidden;
    for (int tile = 0; tile < block.n_edges; tile += kTileRows) {
      V sums[kTileRows][kVectors];
      for (int c = 0; c < kVectors; ++c) {
        const V bias = load<V>(in.bias + column + c * kLanes);
        for (int r = 0; r < kTileRows; ++r) sums[r][c] = bias;
      }
      multiply<T, kLanes>(rows_of(hidden, in.hidden, tile), weights, kLanes * kVectors, in.hidden,
                          sums);
      for (int r = 0; r < kTileRows; ++r) {
        if (tile + r >= block.n_edges) break;
        T* target = renewed + block.edge[tile + r] * stride + column;
        for (int c = 0; c < kVectors; ++c) store(target + c * kLanes, rectified(sums[r][c]));
      }
    }
  });
}

template <typename T>
inline void add_row(T* target, const T* source, int64_t columns) {
  using V = Vector<T, kUpdateColumns>;
  for (int64_t k = 0; k < columns; k += kUpdateColumns) {
    store(target + k, load<V>(target + k) + load<V>(source + k));
  }
}

template <typename T>
void forward(const EdgeInputs<T>& in, int64_t begin, int64_t end, const EdgeResults<T>& out,
             T* scratch) {
  const int64_t width = in.width;
  for (int64_t k = begin * width; k < end * width; ++k) out.sums[k] = 0;
  for_blocks(in, begin, end, [&](const EdgeBlock& block) {
    hidden_units(in, block, scratch);
    renewed_edges(in, block, scratch, out.renewed, out.renewed_stride);
    for (int m = 0; m < block.n_edges; ++m) {
      const T* row = out.renewed + block.edge[m] * out.renewed_stride;
      add_row(out.sums + block.receiver[m] * width, row, width);
      if (!out.is_active) continue;
      bool* active = out.is_active + block.edge[m] * width;
      for (int64_t k = 0; k < width; ++k) active[k] = row[k] > 0;
    }
  });
}

// target += left^T right, for matrices left [depth, rows] and right [depth, columns].
template <typename T, int kRows>
inline void add_rows_of_product(const T* left, int64_t left_stride, int64_t row, const T* right,
                                int64_t right_stride, int64_t depth, int64_t columns, T* target) {
  for_panels<T>(columns, [&]<int kLanes, int kVectors>(int64_t column) {
    using V = Vector<T, kLanes>;
    V sums[kRows][kVectors];
    T* place = target + row * columns + column;
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < kVectors; ++c) sums[r][c] = load<V>(place + r * columns + c * kLanes);
    }
    multiply<T, kLanes>(LeftColumns<T>{left + row, left_stride}, right + column, right_stride,
                        depth, sums);
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < kVectors; ++c) store(place + r * columns + c * kLanes, sums[r][c]);
    }
  });
}

template <typename T>
void add_transposed_product(const T* left, int64_t left_stride, int64_t rows, const T* right,
                            int64_t right_stride, int64_t depth, int64_t columns, T* target) {
  int64_t row = 0;
  for (; row + kTileRows <= rows; row += kTileRows) {
    add_rows_of_product<T, kTileRows>(left, left_stride, row, right, right_stride, depth, columns,
                                      target);
  }
  // Rows are multiples of kUpdateColumns: 0, 2 or 4 are left.
  if (row + 4 <= rows) {
    add_rows_of_product<T, 4>(left, left_stride, row, right, right_stride, depth, columns, target);
  } else if (row < rows) {
    add_rows_of_product<T, 2>(left, left_stride, row, right, right_stride, depth, columns, target);
  }
}

// gradient [block, H] of B h + b, and its sum over edges. Rows after the last edge are 0.
template <typename T>
void open_gradient(const EdgeInputs<T>& in, const EdgeBlock& block, const EdgeGradients<T>& out,
                   T* gradient) {
  using V = Vector<T, kUpdateColumns>;
  using Flags = Vector<unsigned char, kUpdateColumns>;
  for (int m = 0; m < kUpdateEdges; ++m) {
    const bool* active = out.is_active + block.edge[m] * in.width;
    const T* of_renewed = out.of_renewed + block.edge[m] * out.of_renewed_stride;
    const T* of_sums = out.of_sums + block.receiver[m] * out.of_sums_stride;
    for (int64_t k = 0; k < in.width; k += kUpdateColumns) {
      V sum{};
      if (m < block.n_edges) {
        if (out.of_renewed) sum += load<V>(of_renewed + k);
        if (out.of_sums) sum += load<V>(of_sums + k);
        const V flags = __builtin_convertvector(load<Flags>(active + k), V);
        sum = flags > V{} ? sum : V{};
        if (out.bias) store(out.bias + k, load<V>(out.bias + k) + sum);
      }
      store(gradient + m * in.width + k, sum);
    }
  }
}

// of_hidden [block, K] = gradient B, where hidden units are positive.
template <typename T>
void hidden_gradient(const EdgeInputs<T>& in, const EdgeBlock& block, const T* gradient,
                     const T* hidden, T* of_hidden) {
  for_panels<T>(in.hidden, [&]<int kLanes, int kVectors>(int64_t column) {
    using V = Vector<T, kLanes>;
    const T* weights = in.outer_as_given + column * in.width;
    for (int tile = 0; tile < block.n_edges; tile += kTileRows) {
      V sums[kTileRows][kVectors] = {};
      multiply<T, kLanes>(rows_of(gradient, in.width, tile), weights, kLanes * kVectors, in.width,
                          sums);
      for (int r = 0; r < kTileRows; ++r) {
        const int64_t place = (tile + r) * in.hidden + column;
        for (int c = 0; c < kVectors; ++c) {
          const V units = load<V>(hidden + place + c * kLanes);
          store(of_hidden + place + c * kLanes, units > V{} ? sums[r][c] : V{});
        }
      }
    }
  });
}

// gradients of edges = of_hidden A
template <typename T>
void edge_gradient(const EdgeInputs<T>& in, const EdgeBlock& block, const T* of_hidden, T* edges) {
  for_panels<T>(in.width, [&]<int kLanes, int kVectors>(int64_t column) {
    using V = Vector<T, kLanes>;
    const T* weights = in.inner_as_given + column * in.hidden;
    for (int tile = 0; tile < block.n_edges; tile += kTileRows) {
      V sums[kTileRows][kVectors] = {};
      multiply<T, kLanes>(rows_of(of_hidden, in.hidden, tile), weights, kLanes * kVectors,
                          in.hidden, sums);
      for (int r = 0; r < kTileRows; ++r) {
        if (tile + r >= block.n_edges) break;
        T* target = edges + block.edge[tile + r] * in.width + column;
        for (int c = 0; c < kVectors; ++c) store(target + c * kLanes, sums[r][c]);
      }
    }
  });
}

template <typename T>
void scatter(const EdgeInputs<T>& in, const EdgeBlock& block, const T* of_hidden,
             const EdgeGradients<T>& out) {
  using V = Vector<T, kUpdateColumns>;
  const int64_t hidden = in.hidden;
  for (int m = 0; m < block.n_edges; ++m) {
    const T* row = of_hidden + m * hidden;
    if (out.fixed) {
      T* target = out.fixed + block.edge[m] * hidden;
      for (int64_t k = 0; k < hidden; k += kUpdateColumns) store(target + k, load<V>(row + k));
    }
    if (out.of_receiver) add_row(out.of_receiver + block.receiver[m] * hidden, row, hidden);
    if (out.of_sender) add_row(out.of_sender + block.sender[m] * hidden, row, hidden);
  }
}

template <typename T>
void backward(const EdgeInputs<T>& in, int64_t begin, int64_t end, const EdgeGradients<T>& out,
              T* scratch) {
  T* hidden = scratch;
  T* of_hidden = hidden + kUpdateEdges * in.hidden;
  T* gradient = of_hidden + kUpdateEdges * in.hidden;
  if (out.of_receiver) {
    for (int64_t k = begin * in.hidden; k < end * in.hidden; ++k) out.of_receiver[k] = 0;
  }
  for_blocks(in, begin, end, [&](const EdgeBlock& block) {
    hidden_units(in, block, hidden);
    open_gradient(in, block, out, gradient);
    if (out.outer) {
      add_transposed_product(gradient, in.width, in.width, hidden, in.hidden, block.n_edges,
                             in.hidden, out.outer);
    }
    hidden_gradient(in, block, gradient, hidden, of_hidden);
    scatter(in, block, of_hidden, out);
    if (out.inner) {
      add_transposed_product(of_hidden, in.hidden, in.hidden,
                             in.edges + block.first * in.edges_stride, in.edges_stride,
                             block.n_edges, in.width, out.inner);
    }
    if (out.edges) edge_gradient(in, block, of_hidden, out.edges);
  });
}

}  // namespace

const EdgeKernels edge_kernels = {{pack<float>, forward<float>, backward<float>},
                                  {pack<double>, forward<double>, backward<double>}};

}  // namespace glassml::GLASSML_SIMD_LEVEL
