// The renewal of edges with the vectorised kernels, parallel over receivers.

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <array>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "edge_kernels.h"
#include "edge_update.h"
#include "receivers.h"
#include "simd.h"

namespace glassml {
namespace {

EdgeUpdate prepare(const EdgeUpdate& a) {
  EdgeUpdate prepared = a;
  for (at::Tensor EdgeUpdate::* matrix :
       {&EdgeUpdate::edges, &EdgeUpdate::fixed, &EdgeUpdate::of_receiver, &EdgeUpdate::of_sender}) {
    prepared.*matrix = with_dense_rows(a.*matrix);
  }
  prepared.bias = a.bias.contiguous();
  prepared.sender = a.sender.contiguous();
  prepared.first_edge = a.first_edge.contiguous();
  return prepared;
}

template <typename T>
const EdgeKernelsOf<T>& kernels_of() {
  if constexpr (std::is_same_v<T, float>)
    return edge_kernels().of_float;
  else
    return edge_kernels().of_double;
}

template <typename T>
at::Tensor packed(const at::Tensor& matrix) {
  at::Tensor copy = at::empty({matrix.size(0), matrix.size(1)}, matrix.options());
  kernels_of<T>().pack(matrix.const_data_ptr<T>(), matrix.stride(0), matrix.stride(1),
                       matrix.size(0), matrix.size(1), copy.mutable_data_ptr<T>());
  return copy;
}

// The arguments with the packed weights, which live as long as this object.
template <typename T>
class PackedInputs {
 public:
  PackedInputs(const EdgeUpdate& a, bool has_gradients)
      : a_(a), inner_(packed<T>(a.inner.t())), outer_(packed<T>(a.outer.t())) {
    if (!has_gradients) return;
    inner_as_given_ = packed<T>(a.inner);
    outer_as_given_ = packed<T>(a.outer);
  }

  EdgeInputs<T> view() const {
    return EdgeInputs<T>{a_.width(),
                         a_.hidden(),
                         a_.edges.const_data_ptr<T>(),
                         a_.edges.stride(0),
                         a_.fixed.const_data_ptr<T>(),
                         a_.fixed.stride(0),
                         a_.of_receiver.const_data_ptr<T>(),
                         a_.of_receiver.stride(0),
                         a_.of_sender.const_data_ptr<T>(),
                         a_.of_sender.stride(0),
                         a_.sender.const_data_ptr<int64_t>(),
                         a_.first_edge.const_data_ptr<int64_t>(),
                         a_.bias.const_data_ptr<T>(),
                         inner_.const_data_ptr<T>(),
                         outer_.const_data_ptr<T>(),
                         given(inner_as_given_),
                         given(outer_as_given_)};
  }

 private:
  static const T* given(const at::Tensor& tensor) {
    return tensor.defined() ? tensor.const_data_ptr<T>() : nullptr;
  }

  const EdgeUpdate& a_;
  at::Tensor inner_;
  at::Tensor outer_;
  at::Tensor inner_as_given_;
  at::Tensor outer_as_given_;
};

// Writes the renewed edges to rows of `renewed`, which may be those of a.edges.
void run_forward(const EdgeUpdate& a, at::Tensor& renewed, at::Tensor& sums,
                 at::Tensor& is_active) {
  const std::vector<int64_t> bounds = balanced_ranges(a.first_edge);
  const int64_t n_scratch = kUpdateEdges * a.hidden();
  at::Tensor scratch =
      at::empty({static_cast<int64_t>(bounds.size()) - 1, n_scratch}, a.edges.options());
  AT_DISPATCH_FLOATING_TYPES(a.edges.scalar_type(), "edge_update", [&] {
    const PackedInputs<scalar_t> inputs(a, false);
    const EdgeInputs<scalar_t> view = inputs.view();
    const EdgeResults<scalar_t> results{renewed.mutable_data_ptr<scalar_t>(), renewed.stride(0),
                                        sums.mutable_data_ptr<scalar_t>(),
                                        data_of<bool>(is_active)};
    for_receivers(bounds, [&](int64_t range, int64_t begin, int64_t end) {
      kernels_of<scalar_t>().forward(view, begin, end, results, part_of<scalar_t>(scratch, range));
    });
  });
}

EdgeUpdate checked(const EdgeUpdate& given) {
  check(given);
  EdgeUpdate a = prepare(given);
  check_graph("edge_update: ", a.sender, a.first_edge, a.of_sender.size(0), "of_sender");
  return a;
}

// Whether rows can be renewed where they are.
bool has_separate_dense_rows(const at::Tensor& matrix) {
  return matrix.stride(1) == 1 && matrix.stride(0) >= matrix.size(1);
}

template <typename T>
EdgeGradients<T> gradients_of(const at::Tensor& is_active, const at::Tensor& of_renewed,
                              const at::Tensor& of_sums) {
  EdgeGradients<T> gradients{};
  gradients.is_active = is_active.const_data_ptr<bool>();
  if (of_renewed.defined()) {
    gradients.of_renewed = of_renewed.const_data_ptr<T>();
    gradients.of_renewed_stride = of_renewed.stride(0);
  }
  if (of_sums.defined()) {
    gradients.of_sums = of_sums.const_data_ptr<T>();
    gradients.of_sums_stride = of_sums.stride(0);
  }
  return gradients;
}

}  // namespace

bool has_kernel(const EdgeUpdate& a) {
  const auto fits = [](int64_t columns) { return columns > 0 && columns % kUpdateColumns == 0; };
  return fits(a.width()) && fits(a.hidden());
}

RenewedEdges edge_update_forward(const EdgeUpdate& given, bool keeps_active) {
  const EdgeUpdate a = checked(given);
  RenewedEdges results;
  results.renewed = at::empty(a.edges.sizes(), a.edges.options());
  results.sums = at::empty({a.n_local(), a.width()}, a.edges.options());
  if (keeps_active)
    results.is_active = at::empty(a.edges.sizes(), a.edges.options().dtype(at::kBool));
  run_forward(a, results.renewed, results.sums, results.is_active);
  return results;
}

at::Tensor edge_update_forward_in_place(const EdgeUpdate& given) {
  if (!has_separate_dense_rows(given.edges)) {
    const RenewedEdges results = edge_update_forward(given, false);
    given.edges.copy_(results.renewed);
    return results.sums;
  }
  EdgeUpdate separate = given;
  // The code of a model file could view the edges as integers. They were checked before the kernel
  // writes to the edges, so they must not change with them.
  for (at::Tensor EdgeUpdate::* indices : {&EdgeUpdate::sender, &EdgeUpdate::first_edge})
    if ((given.*indices).is_alias_of(given.edges)) separate.*indices = (given.*indices).clone();
  const EdgeUpdate a = checked(separate);
  at::Tensor renewed = a.edges, sums = at::empty({a.n_local(), a.width()}, a.edges.options());
  at::Tensor is_active;
  run_forward(a, renewed, sums, is_active);
  return sums;
}

std::array<at::Tensor, kEdgeGradients> edge_update_backward(
    const EdgeUpdate& given, const at::Tensor& is_active, const at::Tensor& of_renewed,
    const at::Tensor& of_sums, const std::array<bool, kEdgeGradients>& wants) {
  const EdgeUpdate a = prepare(given);
  const auto incoming = [](const at::Tensor& matrix) {
    return matrix.defined() ? with_dense_rows(matrix) : matrix;
  };
  const at::Tensor renewed_gradient = incoming(of_renewed), sums_gradient = incoming(of_sums);
  const std::vector<int64_t> bounds = balanced_ranges(a.first_edge);
  const int64_t n_ranges = static_cast<int64_t>(bounds.size()) - 1;
  at::Tensor scratch =
      at::empty({n_ranges, kUpdateEdges * (2 * a.hidden() + a.width())}, a.edges.options());
  const auto empty_like = [](bool wanted, const at::Tensor& matrix) {
    return wanted ? at::empty(matrix.sizes(), matrix.options()) : at::Tensor();
  };
  at::Tensor edges = empty_like(wants[0], a.edges), fixed = empty_like(wants[1], a.fixed),
             of_receiver = empty_like(wants[2], a.of_receiver);
  // Receivers of different threads share these: each thread adds to its own copy.
  const auto parts = [&](bool wanted, const at::Tensor& matrix) {
    return wanted ? parts_like(matrix, n_ranges) : at::Tensor();
  };
  at::Tensor of_sender = parts(wants[3], a.of_sender), inner = parts(wants[4], a.inner),
             outer = parts(wants[5], a.outer), bias = parts(wants[6], a.bias.unsqueeze(0));
  AT_DISPATCH_FLOATING_TYPES(a.edges.scalar_type(), "edge_update_backward", [&] {
    const PackedInputs<scalar_t> inputs(a, true);
    const EdgeInputs<scalar_t> view = inputs.view();
    for_receivers(bounds, [&](int64_t range, int64_t begin, int64_t end) {
      auto gradients = gradients_of<scalar_t>(is_active, renewed_gradient, sums_gradient);
      gradients.edges = data_of<scalar_t>(edges);
      gradients.fixed = data_of<scalar_t>(fixed);
      gradients.of_receiver = data_of<scalar_t>(of_receiver);
      gradients.of_sender = part_of<scalar_t>(of_sender, range);
      gradients.inner = part_of<scalar_t>(inner, range);
      gradients.outer = part_of<scalar_t>(outer, range);
      gradients.bias = part_of<scalar_t>(bias, range);
      kernels_of<scalar_t>().backward(view, begin, end, gradients,
                                      part_of<scalar_t>(scratch, range));
    });
  });
  const at::Tensor bias_sum = sum_of(bias);
  return {edges,
          fixed,
          of_receiver,
          sum_of(of_sender),
          sum_of(inner),
          sum_of(outer),
          wants[6] ? bias_sum[0] : bias_sum};
}

}  // namespace glassml
