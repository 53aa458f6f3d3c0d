// The arithmetic of the convolution on plain arrays: what the vectorised kernels take and return.
//
// kernels.cpp is compiled once for every vector extension and may run only where the processor has
// it. Therefore this header and that file include nothing with inline functions (no torch, no
// containers): the linker could otherwise pick a copy compiled for AVX-512 for the whole library.
#pragma once

#include <cstdint>

namespace glassml {

// Largest degree of hidden features and spherical harmonics that the kernels are compiled for.
constexpr int kMaxDegree = 4;

// One nonzero Clebsch-Gordan coefficient of a path.
struct Coefficient {
  int product;  // m_I * (2 l_F + 1) + m_F
  int m_O;
  double value;
};

// One path (l_O, l_I, l_F).
struct Path {
  int l_O;
  int index;     // its place among all paths: its radial weights start at index * channels
  int position;  // its place among the paths of the same l_O
  int first_coefficient;
  int last_coefficient;  // one past the last
};

// All paths of one pair (l_I, l_F): they share the products of features and spherical harmonics.
struct PathGroup {
  int l_I;
  int l_F;
  int first_path;
  int n_paths;
};

// Where everything lies in the rows of the arrays.
struct Layout {
  int l_in;
  int l_max;
  int64_t channels;
  int64_t n_in;            // plain scalars after the hidden features
  int64_t hidden_width;    // (l_in + 1)^2 * channels
  int64_t n_path_weights;  // paths * channels
  int64_t result_width;
  const PathGroup* groups;
  int n_groups;
  const Path* paths;
  const Coefficient* coefficients;
  const int64_t* block_start;    // [l_max + 1] first column of the block of l_O in a result row
  const int64_t* block_columns;  // [l_max + 1] K_lO, columns for one m_O
};

// Matrices by their first element and the distance between rows; rows themselves are contiguous.
template <typename T>
struct Inputs {
  const T* state;
  int64_t state_stride;
  const T* sh;
  int64_t sh_stride;
  const T* radial;
  int64_t radial_stride;
  const int64_t* sender;
  const int64_t* first_edge;
};

// Contiguous gradients; state or radial may be null if not wanted. state is added to, radial is
// overwritten.
template <typename T>
struct Gradients {
  const T* result;
  T* state;
  T* radial;
  int64_t state_width;
  int64_t radial_width;
};

// Results of the receivers begin <= i < end, written to rows of `result`.
template <typename T>
using Forward = void (*)(const Layout&, const Inputs<T>&, int64_t begin, int64_t end, T* result);

// Gradients through the receivers begin <= i < end and their edges.
template <typename T>
using Backward = void (*)(const Layout&, const Inputs<T>&, int64_t begin, int64_t end,
                          const Gradients<T>&);

struct Kernels {
  Forward<float> forward_float;
  Forward<double> forward_double;
  Backward<float> backward_float;
  Backward<double> backward_double;
};

namespace baseline {
extern const Kernels kernels;
}
namespace avx2 {
extern const Kernels kernels;
}
namespace avx512 {
extern const Kernels kernels;
}

}  // namespace glassml
