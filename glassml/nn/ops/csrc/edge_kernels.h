// The arithmetic of edge_update on plain arrays: arguments and results of the vectorised kernels.
// Like kernels.h, this header includes nothing with inline functions.
#pragma once

#include <cstdint>

namespace glassml {

// Edges that are processed together, a multiple of the rows of a tile (tiles.h). Their hidden units
// stay in the caches.
constexpr int kUpdateEdges = 48;

// Numbers of columns H and K that the kernels can process are multiples of this.
constexpr int64_t kUpdateColumns = 8;

// Matrices as a pointer to the first element and the distance between rows; rows are contiguous.
// What they are: edge_update.py.
template <typename T>
struct EdgeInputs {
  int64_t width;   // H
  int64_t hidden;  // K
  const T* edges;  // [E, H]
  int64_t edges_stride;
  const T* fixed;  // [E, K]
  int64_t fixed_stride;
  const T* of_receiver;  // [n, K]
  int64_t of_receiver_stride;
  const T* of_sender;  // [n_all, K]
  int64_t of_sender_stride;
  const int64_t* sender;
  const int64_t* first_edge;
  const T* bias;  // [H]
  // Packed by EdgeKernels::pack.
  const T* inner;           // transposed: [H, K]
  const T* outer;           // transposed: [K, H]
  const T* inner_as_given;  // [K, H]; for gradients only, like the next
  const T* outer_as_given;  // [H, K]
};

template <typename T>
struct EdgeResults {
  T* renewed;  // [E, H]; may be the rows of EdgeInputs::edges
  int64_t renewed_stride;
  T* sums;          // [n, H] contiguous
  bool* is_active;  // [E, H] contiguous, whether an element of `renewed` is positive; or null
};

// Contiguous; what is not wanted is null. The kernel adds to of_sender, inner, outer and bias.
template <typename T>
struct EdgeGradients {
  const bool* is_active;  // as the forward kernel wrote it
  const T* of_renewed;    // incoming gradients, [E, H] and [n, H]; null for zeros
  int64_t of_renewed_stride;
  const T* of_sums;
  int64_t of_sums_stride;
  T* edges;        // [E, H]
  T* fixed;        // [E, K]
  T* of_receiver;  // [n, K]
  T* of_sender;    // [n_all, K]
  T* inner;        // [K, H]
  T* outer;        // [H, K]
  T* bias;         // [H]
};

// All kernels treat the receivers begin <= i < end and their edges.
template <typename T>
struct EdgeKernelsOf {
  // Copies a matrix [rows, columns] into the order in which the kernels read it.
  void (*pack)(const T* matrix, int64_t row_stride, int64_t column_stride, int64_t rows,
               int64_t columns, T* packed);
  void (*forward)(const EdgeInputs<T>&, int64_t begin, int64_t end, const EdgeResults<T>&,
                  T* scratch);
  void (*backward)(const EdgeInputs<T>&, int64_t begin, int64_t end, const EdgeGradients<T>&,
                   T* scratch);
};

struct EdgeKernels {
  EdgeKernelsOf<float> of_float;
  EdgeKernelsOf<double> of_double;
};

namespace baseline {
extern const EdgeKernels edge_kernels;
}
namespace avx2 {
extern const EdgeKernels edge_kernels;
}
namespace avx512vl {
extern const EdgeKernels edge_kernels;
}
namespace avx512 {
extern const EdgeKernels edge_kernels;
}

}  // namespace glassml
