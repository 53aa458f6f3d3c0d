// The convolution by the vectorised kernels, parallel over receivers.

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <type_traits>
#include <vector>

#include "convolution.h"
#include "paths.h"
#include "simd.h"

namespace glassml {
namespace {

// Rows may lie apart (columns of a wider matrix), the elements of a row may not.
at::Tensor with_dense_rows(const at::Tensor& matrix) {
  return matrix.stride(1) == 1 || matrix.numel() == 0 ? matrix : matrix.contiguous();
}

// A wrong index would read foreign memory in the kernels, so these are always checked.
void check_index_values(const Arguments& a) {
  const int64_t* first_edge = a.first_edge.const_data_ptr<int64_t>();
  const int64_t n_local = a.n_local();
  TORCH_CHECK(first_edge[0] == 0 && first_edge[n_local] == a.n_edges(),
              "equivariant_convolution: first_edge goes from ", first_edge[0], " to ",
              first_edge[n_local], ", expected 0 to ", a.n_edges(), ", the number of edges");
  TORCH_CHECK(std::is_sorted(first_edge, first_edge + n_local + 1),
              "equivariant_convolution: first_edge decreases, expected a row pointer");
  const int64_t* sender = a.sender.const_data_ptr<int64_t>();
  const int64_t n_all = a.state.size(0);
  for (int64_t edge = 0; edge < a.n_edges(); ++edge) {
    TORCH_CHECK(0 <= sender[edge] && sender[edge] < n_all, "equivariant_convolution: sender[", edge,
                "] is ", sender[edge], ", expected a row of state, 0 to ", n_all - 1);
  }
}

Arguments prepare(const Arguments& a) {
  Arguments prepared = a;
  prepared.state = with_dense_rows(a.state);
  prepared.sh = with_dense_rows(a.sh);
  prepared.radial = with_dense_rows(a.radial);
  prepared.sender = a.sender.contiguous();
  prepared.first_edge = a.first_edge.contiguous();
  return prepared;
}

template <typename T>
Inputs<T> inputs_of(const Arguments& a) {
  return Inputs<T>{a.state.const_data_ptr<T>(),        a.state.stride(0),
                   a.sh.const_data_ptr<T>(),           a.sh.stride(0),
                   a.radial.const_data_ptr<T>(),       a.radial.stride(0),
                   a.sender.const_data_ptr<int64_t>(), a.first_edge.const_data_ptr<int64_t>()};
}

// Bounds of consecutive ranges of receivers, one a thread, with about as many edges each. They
// depend on nothing but the graph and the number of threads, so sums repeat to the last bit.
std::vector<int64_t> balanced_ranges(const Arguments& a) {
  const int64_t n_local = a.n_local();
  const int64_t n_ranges = std::min<int64_t>(at::get_num_threads(), n_local);
  const int64_t* first_edge = a.first_edge.const_data_ptr<int64_t>();
  std::vector<int64_t> bounds(n_ranges + 1, n_local);
  for (int64_t range = 0; range < n_ranges; ++range) {
    const int64_t target = a.n_edges() * range / n_ranges;
    bounds[range] = std::lower_bound(first_edge, first_edge + n_local, target) - first_edge;
  }
  bounds[0] = 0;
  return bounds;
}

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

template <typename T>
Forward<T> forward_kernel() {
  if constexpr (std::is_same_v<T, float>)
    return kernels().forward_float;
  else
    return kernels().forward_double;
}

template <typename T>
Backward<T> backward_kernel() {
  if constexpr (std::is_same_v<T, float>)
    return kernels().backward_float;
  else
    return kernels().backward_double;
}

const PathTable& table_of(const Arguments& a) {
  return path_table(static_cast<int>(a.l_in), static_cast<int>(a.l_max));
}

}  // namespace

bool has_kernel(const Arguments& a) { return a.l_in <= kMaxDegree && a.l_max <= kMaxDegree; }

at::Tensor convolution_forward(const Arguments& given) {
  check(given);
  const Arguments a = prepare(given);
  check_index_values(a);
  const ConvolutionShape shape(table_of(a), a.channels, a.n_in());
  at::Tensor result = at::empty({a.n_local(), shape.layout().result_width}, a.state.options());
  AT_DISPATCH_FLOATING_TYPES(a.state.scalar_type(), "equivariant_convolution", [&] {
    const Inputs<scalar_t> inputs = inputs_of<scalar_t>(a);
    const Forward<scalar_t> kernel = forward_kernel<scalar_t>();
    scalar_t* rows = result.mutable_data_ptr<scalar_t>();
    for_receivers(balanced_ranges(a), [&](int64_t, int64_t begin, int64_t end) {
      kernel(shape.layout(), inputs, begin, end, rows);
    });
  });
  return result;
}

std::tuple<at::Tensor, at::Tensor> convolution_backward(const Arguments& given,
                                                        const at::Tensor& result_gradient,
                                                        bool wants_state, bool wants_radial) {
  const Arguments a = prepare(given);
  const ConvolutionShape shape(table_of(a), a.channels, a.n_in());
  const at::Tensor incoming = result_gradient.contiguous();
  const std::vector<int64_t> bounds = balanced_ranges(a);
  const int64_t n_ranges = static_cast<int64_t>(bounds.size()) - 1;
  // Receivers of different threads share senders: each thread adds to rows of its own.
  at::Tensor state_parts, radial_gradient;
  if (wants_state) {
    state_parts = at::zeros({n_ranges, a.state.size(0), a.state.size(1)}, a.state.options());
  }
  if (wants_radial) radial_gradient = at::empty(a.radial.sizes(), a.radial.options());
  AT_DISPATCH_FLOATING_TYPES(a.state.scalar_type(), "equivariant_convolution_backward", [&] {
    const Inputs<scalar_t> inputs = inputs_of<scalar_t>(a);
    const Backward<scalar_t> kernel = backward_kernel<scalar_t>();
    for_receivers(bounds, [&](int64_t range, int64_t begin, int64_t end) {
      const Gradients<scalar_t> gradients{
          incoming.const_data_ptr<scalar_t>(),
          wants_state ? state_parts.mutable_data_ptr<scalar_t>() + range * a.state.numel()
                      : nullptr,
          wants_radial ? radial_gradient.mutable_data_ptr<scalar_t>() : nullptr, a.state.size(1),
          a.radial.size(1)};
      kernel(shape.layout(), inputs, begin, end, gradients);
    });
  });
  if (!wants_state) return {at::Tensor(), radial_gradient};
  return {n_ranges == 1 ? state_parts[0] : state_parts.sum(0), radial_gradient};
}

}  // namespace glassml
