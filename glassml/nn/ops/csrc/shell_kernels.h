// The arithmetic of shell_sums on plain arrays. Like kernels.h, this header includes nothing with
// inline functions.
#pragma once

#include <cstdint>

#include "kernels.h"

namespace glassml {

// What they are: shell_sums.py.
template <typename T>
struct ShellInputs {
  const T* edge_vector;  // [E, 3]
  const int64_t* kind;   // [n_all]
  const int64_t* sender;
  const int64_t* first_edge;
  T start;
  T per_length;  // shells per length
  int64_t shells;
  int64_t kinds;
  int n_harmonics;                     // (l_max + 1)^2
  const HarmonicTerm* harmonic_terms;  // by target
  int n_harmonic_terms;

  int64_t channels() const { return kinds * shells; }
};

// Harmonics of a shell are padded to a multiple of this, with zeros.
constexpr int kShellLanes = 8;
constexpr int64_t padded_harmonics(int64_t n) {
  return (n + kShellLanes - 1) / kShellLanes * kShellLanes;
}

// Elements of the scratch memory of a thread: distances and harmonics of a block of edges, those of
// one edge, the sums of a receiver.
constexpr int64_t shell_scratch(int64_t n_harmonics, int64_t channels) {
  const int64_t rows = n_harmonics < 4 ? 4 : n_harmonics;  // rows 1 to 3 first hold the vectors
  return (1 + rows) * kBlockEdges + (1 + channels) * padded_harmonics(n_harmonics);
}

// Writes the sums of the receivers begin <= i < end to rows of `sums` [n, n_harmonics * channels].
struct ShellKernels {
  void (*of_float)(const ShellInputs<float>&, int64_t begin, int64_t end, float* sums,
                   float* scratch);
  void (*of_double)(const ShellInputs<double>&, int64_t begin, int64_t end, double* sums,
                    double* scratch);
};

namespace baseline {
extern const ShellKernels shell_kernels;
}
namespace avx2 {
extern const ShellKernels shell_kernels;
}
namespace avx512vl {
extern const ShellKernels shell_kernels;
}
namespace avx512 {
extern const ShellKernels shell_kernels;
}

}  // namespace glassml
