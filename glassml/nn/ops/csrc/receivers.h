// What operators that sum over the edges of receivers have in common: checks of the graph, and
// ranges of receivers for threads.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cstdint>
#include <vector>

namespace glassml {

// Throws c10::Error unless first_edge is a row pointer over all edges and each sender one of the
// n_all rows of the argument named `rows`. `name` begins the messages. Always called: with a wrong
// index the kernels would read outside the arrays.
void check_graph(const char* name, const at::Tensor& sender, const at::Tensor& first_edge,
                 int64_t n_all, const char* rows);

// The elements of a row must be contiguous; rows need not be (columns of a wider matrix).
at::Tensor with_dense_rows(const at::Tensor& matrix);

// Bounds of consecutive ranges of receivers, one per thread, with about the same number of edges.
// They depend only on the graph and the number of threads, so sums repeat to the last bit.
std::vector<int64_t> balanced_ranges(const at::Tensor& first_edge);

// Calls body(range, begin, end) for every range of receivers, in parallel.
template <typename Body>
void for_receivers(const std::vector<int64_t>& bounds, const Body& body) {
  const int64_t n_ranges = static_cast<int64_t>(bounds.size()) - 1;
  at::parallel_for(0, n_ranges, 1, [&](int64_t first, int64_t last) {
    for (int64_t range = first; range < last; ++range) {
      body(range, bounds[range], bounds[range + 1]);
    }
  });
}

// Zeros like the matrix, once for each range of receivers.
at::Tensor parts_like(const at::Tensor& matrix, int64_t n_ranges);

// The sum of such parts in the order of the ranges, so that it repeats to the last bit.
at::Tensor sum_of(const at::Tensor& parts);

template <typename T>
T* data_of(at::Tensor& tensor) {
  return tensor.defined() ? tensor.mutable_data_ptr<T>() : nullptr;
}

template <typename T>
T* part_of(at::Tensor& parts, int64_t range) {
  if (!parts.defined()) return nullptr;
  return parts.mutable_data_ptr<T>() + range * parts.stride(0);
}

}  // namespace glassml
