// The arithmetic of weighted_sums on plain arrays. Like kernels.h, this header includes nothing
// with inline functions.
#pragma once

#include <cstdint>

namespace glassml {

// Matrices as a pointer to the first element and the distance between rows; rows are contiguous.
// What they are: weighted_sums.py.
template <typename T>
struct SumInputs {
  int64_t columns;  // C
  const T* values;  // [n_all, C]
  int64_t values_stride;
  const T* weights;  // [E]
  const int64_t* sender;
  const int64_t* first_edge;
};

// Contiguous; what is not wanted is null. The kernel adds to values.
template <typename T>
struct SumGradients {
  const T* of_sums;  // incoming, [n, C]
  int64_t of_sums_stride;
  T* values;   // [n_all, C]
  T* weights;  // [E]
};

// All kernels treat the receivers begin <= i < end and their edges.
template <typename T>
struct SumKernelsOf {
  void (*forward)(const SumInputs<T>&, int64_t begin, int64_t end, T* sums);
  void (*backward)(const SumInputs<T>&, int64_t begin, int64_t end, const SumGradients<T>&);
};

struct SumKernels {
  SumKernelsOf<float> of_float;
  SumKernelsOf<double> of_double;
};

namespace baseline {
extern const SumKernels sum_kernels;
}
namespace avx2 {
extern const SumKernels sum_kernels;
}
namespace avx512vl {
extern const SumKernels sum_kernels;
}
namespace avx512 {
extern const SumKernels sum_kernels;
}

}  // namespace glassml
