// Vectors of any length, for the files that are compiled once for each vector extension (see
// kernels.h). Everything here has internal linkage.
#pragma once

#include "kernels.h"

#ifndef GLASSML_SIMD_LEVEL
#define GLASSML_SIMD_LEVEL baseline
#endif

namespace glassml::GLASSML_SIMD_LEVEL {
namespace {

#if defined(__AVX512VL__)
constexpr int kRegisters = 32;
constexpr int kRegisterBytes = 64;
#elif defined(__AVX__)
constexpr int kRegisters = 16;
constexpr int kRegisterBytes = 32;
#elif defined(__aarch64__)
constexpr int kRegisters = 32;
constexpr int kRegisterBytes = 16;
#else
constexpr int kRegisters = 16;
constexpr int kRegisterBytes = 16;
#endif

// Edges are packed together until they fill a vector of this size. It is less than a register for
// processors on which an instruction on a whole register takes twice the time of one on half of it:
// there packing edges, which has an overhead, gains nothing.
#if defined(GLASSML_PACKED_BYTES)
constexpr int kPackedBytes = GLASSML_PACKED_BYTES;
#else
constexpr int kPackedBytes = kRegisterBytes;
#endif

template <typename T, int kLanes>
struct VectorType {
  typedef T type __attribute__((vector_size(sizeof(T) * kLanes)));
};
template <typename T, int kLanes>
using Vector = typename VectorType<T, kLanes>::type;

// The same vectors anywhere in an array, not only at multiples of their size.
template <typename V, typename T>
struct Unaligned {
  typedef V type __attribute__((aligned(alignof(T)), may_alias));
};

template <typename V, typename T>
inline V load(const T* source) {
  return *reinterpret_cast<const typename Unaligned<V, T>::type*>(source);
}

template <typename V, typename T>
inline void store(T* target, V vector) {
  *reinterpret_cast<typename Unaligned<V, T>::type*>(target) = vector;
}

// Prefetches elements that are read soon, but not immediately.
template <typename T>
inline void prefetch(const T* source, int64_t n_elements) {
  constexpr int64_t kLine = 64 / sizeof(T);
  for (int64_t k = 0; k < n_elements; k += kLine) __builtin_prefetch(source + k, 0, 2);
}

// A constant that is stored in both precisions.
template <typename T>
inline T value_of(double in_double, float in_float);
template <>
inline float value_of<float>(double, float in_float) {
  return in_float;
}
template <>
inline double value_of<double>(double in_double, float) {
  return in_double;
}

// One number in all lanes. Subtracting 0 changes no number, not even -0, so it takes no
// instruction.
template <typename V, typename T>
inline V broadcast(T value) {
  return value - V{};
}

// Copies the first `valid` of kLanes elements and sets the others to 0. Element by element if not
// all are valid: nothing may be read past the end of an array.
template <int kLanes, typename T>
inline void copy_some(T* target, const T* source, int valid) {
  using V = Vector<T, kLanes>;
  if (valid == kLanes) return store<V>(target, load<V>(source));
  for (int k = 0; k < kLanes; ++k) target[k] = k < valid ? source[k] : T{0};
}

template <int kLanes, typename T>
inline Vector<T, kLanes> load_some(const T* source, int valid) {
  if (valid == kLanes) return load<Vector<T, kLanes>>(source);
  T elements[kLanes];
  copy_some<kLanes>(elements, source, valid);
  return load<Vector<T, kLanes>>(elements);
}

template <int kLanes, typename T>
inline void add_some(T* target, const Vector<T, kLanes>& vector, int valid) {
  using V = Vector<T, kLanes>;
  if (valid == kLanes) return store<V>(target, load<V>(target) + vector);
  T elements[kLanes];
  store(elements, vector);
  for (int k = 0; k < valid; ++k) target[k] += elements[k];
}

template <int kLanes, typename T>
inline void store_some(T* target, const Vector<T, kLanes>& vector, int valid) {
  if (valid == kLanes) return store<Vector<T, kLanes>>(target, vector);
  T elements[kLanes];
  store(elements, vector);
  for (int k = 0; k < valid; ++k) target[k] = elements[k];
}

// Number of edges that share a vector: with few channels, the lanes belong to several edges.
template <typename T, int kChannels>
constexpr int kEdges =
    kChannels * sizeof(T) < kPackedBytes ? kPackedBytes / static_cast<int>(kChannels * sizeof(T))
                                         : 1;

// [edge][channel]
template <typename T, int kChannels>
constexpr int kLanes = kChannels * kEdges<T, kChannels>;

// Sum over the edges of a vector.
template <typename T, int kChannels>
inline Vector<T, kChannels> folded(const Vector<T, kLanes<T, kChannels>>& vector) {
  T elements[kLanes<T, kChannels>];
  store(elements, vector);
  auto sum = load<Vector<T, kChannels>>(elements);
  for (int edge = 1; edge < kEdges<T, kChannels>; ++edge) {
    sum += load<Vector<T, kChannels>>(elements + edge * kChannels);
  }
  return sum;
}

// Calls body.operator()<lanes>() with the number of lanes of a chunk.
template <typename Body>
inline void with_lanes(int lanes, const Body& body) {
  switch (lanes) {
    case 16:
      return body.template operator()<16>();
    case 8:
      return body.template operator()<8>();
    default:
      return body.template operator()<4>();
  }
}

}  // namespace
}  // namespace glassml::GLASSML_SIMD_LEVEL
