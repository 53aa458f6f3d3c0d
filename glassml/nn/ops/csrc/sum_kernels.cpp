// Kernels of weighted_sums, compiled once for every vector extension (see kernels.h). Lanes of
// vectors are columns.

#include "sum_kernels.h"

#include "vectors.h"

namespace glassml::GLASSML_SIMD_LEVEL {
namespace {

template <typename T>
constexpr int kWidth = kRegisterBytes / static_cast<int>(sizeof(T));  // columns in a vector
constexpr int kTogether = 4;                                          // vectors

// kVectors * kWidth columns of the sums of one receiver, which stay in registers. The last vector
// may overlap the one before: then some columns are calculated twice, with the same result.
template <int kVectors, typename T>
inline void sum_columns(const SumInputs<T>& in, int64_t first, int64_t last, int64_t column,
                        T* sums) {
  using V = Vector<T, kWidth<T>>;
  int64_t at[kVectors];
  for (int k = 0; k < kVectors; ++k) {
    const int64_t next = column + k * kWidth<T>, end = in.columns - kWidth<T>;
    at[k] = next < end ? next : end;
  }
  V sum[kVectors] = {};
  for (int64_t edge = first; edge < last; ++edge) {
    const T* row = in.values + in.sender[edge] * in.values_stride;
    const V weight = broadcast<V>(in.weights[edge]);
    for (int k = 0; k < kVectors; ++k) sum[k] += weight * load<V>(row + at[k]);
  }
  for (int k = 0; k < kVectors; ++k) store(sums + at[k], sum[k]);
}

// Fewer columns than a vector has.
template <typename T>
inline void sum_few_columns(const SumInputs<T>& in, int64_t first, int64_t last, T* sums) {
  for (int64_t c = 0; c < in.columns; ++c) sums[c] = 0;
  for (int64_t edge = first; edge < last; ++edge) {
    const T* row = in.values + in.sender[edge] * in.values_stride;
    for (int64_t c = 0; c < in.columns; ++c) sums[c] += in.weights[edge] * row[c];
  }
}

template <typename T>
void forward(const SumInputs<T>& in, int64_t begin, int64_t end, T* sums) {
  for (int64_t i = begin; i < end; ++i) {
    const int64_t first = in.first_edge[i], last = in.first_edge[i + 1];
    T* target = sums + i * in.columns;
    if (in.columns < kWidth<T>) {
      sum_few_columns(in, first, last, target);
      continue;
    }
    for (int64_t c = 0; c < in.columns; c += kTogether * kWidth<T>) {
      const int64_t left = in.columns - c;
      if (left > 3 * kWidth<T>)
        sum_columns<kTogether>(in, first, last, c, target);
      else if (left > 2 * kWidth<T>)
        sum_columns<3>(in, first, last, c, target);
      else if (left > kWidth<T>)
        sum_columns<2>(in, first, last, c, target);
      else
        sum_columns<1>(in, first, last, c, target);
    }
  }
}

template <typename T>
inline T product_of(const T* a, const T* b, int64_t columns) {
  using V = Vector<T, kWidth<T>>;
  V sums = {};
  int64_t c = 0;
  for (; c + kWidth<T> <= columns; c += kWidth<T>) sums += load<V>(a + c) * load<V>(b + c);
  T sum = 0;
  for (int k = 0; k < kWidth<T>; ++k) sum += sums[k];
  for (; c < columns; ++c) sum += a[c] * b[c];
  return sum;
}

template <typename T>
void backward(const SumInputs<T>& in, int64_t begin, int64_t end, const SumGradients<T>& out) {
  for (int64_t i = begin; i < end; ++i) {
    const T* of_sum = out.of_sums + i * out.of_sums_stride;
    for (int64_t edge = in.first_edge[i]; edge < in.first_edge[i + 1]; ++edge) {
      const int64_t sender = in.sender[edge];
      if (out.weights)
        out.weights[edge] = product_of(of_sum, in.values + sender * in.values_stride, in.columns);
      if (!out.values) continue;
      const T weight = in.weights[edge];
      T* target = out.values + sender * in.columns;
      for (int64_t c = 0; c < in.columns; ++c) target[c] += weight * of_sum[c];
    }
  }
}

}  // namespace

const SumKernels sum_kernels = {{forward<float>, backward<float>},
                                {forward<double>, backward<double>}};

}  // namespace glassml::GLASSML_SIMD_LEVEL
