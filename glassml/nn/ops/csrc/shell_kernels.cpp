// Kernels of shell_sums, compiled once for every vector extension (see kernels.h). Each edge adds
// to the two shells next to it, of the kind of its sender. Lanes of vectors are harmonics.

#include "shell_kernels.h"

#include "packing.h"

namespace glassml::GLASSML_SIMD_LEVEL {
namespace {

// Adds the edges of a block to the sums [channel][harmonic, padded] of their receiver.
template <typename T>
void add_block(const ShellInputs<T>& in, const Block<T>& block, T* harmonics, T* sums) {
  using V = Vector<T, kShellLanes>;
  const int64_t padded = padded_harmonics(in.n_harmonics);
  for (int edge = 0; edge < block.n_edges; ++edge) {
    const T cell = (block.r[edge] - in.start) * in.per_length;
    // Before the first knot, the whole edge is in the first shell; written so that NaN is, too.
    const T position = cell > 0 ? cell : T{0};
    if (position >= static_cast<T>(in.shells)) continue;
    const auto shell = static_cast<int64_t>(position);
    const T outer = position - static_cast<T>(shell);
    const int64_t channel = in.kind[in.sender[block.first + edge]] * in.shells + shell;
    T* target = sums + channel * padded;
    const bool has_outer = shell + 1 < in.shells;
    for (int m = 0; m < in.n_harmonics; ++m) harmonics[m] = block.y[m * kBlockEdges + edge];
    for (int64_t m = 0; m < padded; m += kShellLanes) {
      const V y = load<V>(harmonics + m);
      store(target + m, load<V>(target + m) + (1 - outer) * y);
      if (has_outer) store(target + padded + m, load<V>(target + padded + m) + outer * y);
    }
  }
}

template <typename T>
void forward(const ShellInputs<T>& in, int64_t begin, int64_t end, T* sums, T* scratch) {
  const int64_t padded = padded_harmonics(in.n_harmonics), channels = in.channels();
  Layout layout{};
  layout.n_harmonics = in.n_harmonics;
  layout.harmonic_terms = in.harmonic_terms;
  layout.n_harmonic_terms = in.n_harmonic_terms;
  Inputs<T> inputs{};
  inputs.edge_vector = in.edge_vector;
  Block<T> block{};
  block.r = scratch;
  block.y = block.r + kBlockEdges;
  T* harmonics = block.y + (in.n_harmonics < 4 ? 4 : in.n_harmonics) * kBlockEdges;
  T* of_receiver = harmonics + padded;
  for (int64_t m = 0; m < padded; ++m) harmonics[m] = 0;
  for (int64_t i = begin; i < end; ++i) {
    for (int64_t k = 0; k < channels * padded; ++k) of_receiver[k] = 0;
    const int64_t last = in.first_edge[i + 1];
    for (int64_t first = in.first_edge[i]; first < last; first += kBlockEdges) {
      block.first = first;
      block.n_edges = static_cast<int>(last - first < kBlockEdges ? last - first : kBlockEdges);
      evaluate_harmonics(layout, inputs, block);
      add_block(in, block, harmonics, of_receiver);
    }
    T* target = sums + i * in.n_harmonics * channels;
    for (int m = 0; m < in.n_harmonics; ++m)
      for (int64_t c = 0; c < channels; ++c) *target++ = of_receiver[c * padded + m];
  }
}

}  // namespace

const ShellKernels shell_kernels = {forward<float>, forward<double>};

}  // namespace glassml::GLASSML_SIMD_LEVEL
