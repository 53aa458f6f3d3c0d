// The arithmetic of the convolution on plain arrays: arguments and results of the vectorised
// kernels.
//
// The kernels are compiled once for each vector extension and run only on processors that have it.
// Therefore this header and their files include nothing with inline functions (no torch, no
// containers): the linker could otherwise choose a copy compiled for AVX-512 for the whole library.
#pragma once

#include <cstdint>

namespace glassml {

// Largest degree of hidden features and spherical harmonics that the kernels are compiled for.
constexpr int kMaxDegree = 4;

// Orders of one degree, and pairs of orders (m_I, m_O) with l_O < kMaxDegree.
constexpr int kMaxOrders = 2 * kMaxDegree + 1;
constexpr int kMaxCouplings = kMaxOrders * (kMaxOrders - 2);

// Number of orders m_F that couple a pair (m_I, m_O): |m_F| is |m_I| + |m_O| or ||m_I| - |m_O||,
// and for each of the two, the signs of m_I and m_O allow one sign of m_F.
constexpr int kCoupledOrders = 2;

// Edges of a receiver that are processed together; their data stay in the caches.
constexpr int kBlockEdges = 64;
// Upper bound of the number of channels that are processed together.
constexpr int kMaxLanes = 16;
// Columns that are mixed together.
constexpr int kMixingLanes = 8;

// One term of the recurrence from the harmonics of one degree to those of the next, in both
// precisions: `target` is a sum of value * Y[previous] * Y[1 + axis].
struct HarmonicTerm {
  int target;
  int previous;
  int axis;
  double value;
  float value_float;
};

// One Clebsch-Gordan coefficient of a path, in both precisions, and the index of its factor.
struct Coefficient {
  int index;
  float value_float;
  double value;
};

// The coefficients of a path, as one list for each of its results or products. All lists have the
// same length, padded by zeros: then the processor predicts the ends of loops over them.
struct CoefficientLists {
  int first;   // where the first list starts in Part::coefficients
  int length;  // of one list
};

// One path (l_O, l_I, l_F).
struct Path {
  int l_O;
  int index;                     // among all paths: its radial weights start at index * channels
  int position;                  // among the paths of the same l_O
  CoefficientLists of_results;   // for every m_O, of products m_I * (2 l_F + 1) + m_F
  CoefficientLists of_products;  // for every product, of orders m_O
  int couplings;                 // where, for every m_I * (2 l_O + 1) + m_O, kCoupledOrders
                                 // coefficients of orders m_F start
};

// All paths of one pair (l_I, l_F), by l_O.
struct PathGroup {
  int l_I;
  int l_F;
  int first_path;
  int n_paths;
  int n_coupled;  // number of leading paths that are faster coupled first (couplings.h)
};

// Channels of a part that are processed together. A chunk that does not fill its lanes takes the
// same time as a full one, but single channels would take longer.
struct Chunk {
  int64_t channel;
  int valid;            // channels
  int lanes;            // 16, 8 or 4
  int64_t table_start;  // first column of [path][lane] in a row of the packed table
};

// The hidden features, or the plain scalars (features of degree 0): their couplings to the
// spherical harmonics, and their columns in the arrays.
struct Part {
  int64_t channels;
  const Chunk* chunks;
  int n_chunks;          // 0: this part is absent
  int l_in;              // largest degree of its features
  int64_t state_start;   // first column in a row of state
  int64_t radial_start;  // first column in a row of radial
  const PathGroup* groups;
  int n_groups;
  const Path* paths;
  int n_paths;
  const Coefficient* coefficients;
  const int64_t* result_start;  // [l_max + 1] first column for m_O = -l_O in a result row
};

struct Layout {
  int l_max;
  int n_harmonics;                     // (l_max + 1)^2
  const HarmonicTerm* harmonic_terms;  // by target
  int n_harmonic_terms;
  Part parts[2];
  int64_t result_width;          // before mixing
  const int64_t* block_columns;  // [l_max + 1] K_lO, columns for one m_O
};

// Radial weights as piecewise linear functions of the distance.
template <typename T>
struct RadialTable {
  const T* knots;    // [n_knots], sorted; null if the weights are given for every edge
  const T* inverse;  // [n_knots - 1] 1 / width of the intervals, 0 for empty ones
  const T* ends;    // [n_knots - 1] ends of the intervals; NaN for the last, so that a search stops
  const T* values;  // [n_knots, stride], for each chunk [path in the order of groups][lane]
  int64_t stride;
  const int32_t* first_interval;  // [n_cells] the interval where each cell of an even grid begins
  int64_t n_cells;
  T cells_per_length;
  bool rectify;  // negative weights become 0
};

// Linear maps of the columns of each degree, the same for all its orders.
template <typename T>
struct Mixing {
  const T* rows;        // [sum over l of K_l, stride], padded by columns of zeros
  const T* transposed;  // for each l [n_columns][K_l and zeros up to a multiple of kMixingLanes]
  int64_t n_columns;    // 0: columns are not mixed
  int64_t stride;       // a multiple of kMixingLanes
};

// Matrices as a pointer to the first element and the distance between rows; rows are contiguous.
template <typename T>
struct Inputs {
  const T* state;
  int64_t state_stride;
  const T* edge_vector;  // [edges, 3]
  const T* radial;       // null if there is a table
  int64_t radial_stride;
  const int64_t* sender;
  const int64_t* first_edge;
  RadialTable<T> table;
  Mixing<T> mixing;
};

// Contiguous gradients; all but `result` may be null. The kernels add to state, table and mixing,
// and overwrite radial.
template <typename T>
struct Gradients {
  const T* result;
  T* state;
  T* radial;
  T* table;             // laid out like RadialTable::values
  T* mixing;            // laid out like Mixing::rows
  const T* product;     // results before mixing, [receivers, result_width]; needed for `mixing`
  int64_t state_width;  // distance between rows; may exceed the number of columns of state
  int64_t radial_width;
};

// Writes the results of the receivers begin <= i < end to rows of `product` (before mixing; may be
// null) and, with mixing, of `mixed`.
template <typename T>
using Forward = void (*)(const Layout&, const Inputs<T>&, int64_t begin, int64_t end, T* product,
                         T* mixed, T* scratch);

// Computes the gradients through the receivers begin <= i < end and their edges.
template <typename T>
using Backward = void (*)(const Layout&, const Inputs<T>&, int64_t begin, int64_t end,
                          const Gradients<T>&, T* scratch);

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
namespace avx512vl {
extern const Kernels kernels;
}
namespace avx512 {
extern const Kernels kernels;
}

}  // namespace glassml
