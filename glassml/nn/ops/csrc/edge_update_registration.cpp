// Registers edge_update and edge_update_, with gradients of the first.

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>
#include <string>
#include <tuple>

#include "edge_update.h"
#include "receivers.h"
#include "registration.h"

namespace glassml {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Arguments with gradients come first, in the order of edge_update_backward.
class EdgeUpdateFunction : public torch::autograd::Function<EdgeUpdateFunction> {
 public:
  static variable_list forward(AutogradContext* context, const Tensor& edges, const Tensor& fixed,
                               const Tensor& of_receiver, const Tensor& of_sender,
                               const Tensor& inner, const Tensor& outer, const Tensor& bias,
                               const Tensor& sender, const Tensor& first_edge) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    const RenewedEdges results = edge_update_forward(
        {edges, fixed, of_receiver, of_sender, sender, first_edge, inner, outer, bias}, true);
    context->save_for_backward({edges, fixed, of_receiver, of_sender, inner, outer, bias, sender,
                                first_edge, results.is_active});
    context->set_materialize_grads(false);
    return {results.renewed, results.sums};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    TORCH_CHECK_NOT_IMPLEMENTED(
        !at::GradMode::is_enabled(),
        "edge_update: the native operator has no second derivatives; call backward without "
        "create_graph or set GLASSML_BACKEND=reference before glassml is used");
    const variable_list saved = context->get_saved_variables();
    std::array<bool, kEdgeGradients> wants;
    for (int k = 0; k < kEdgeGradients; ++k) wants[k] = context->needs_input_grad(k);
    const auto found = edge_update_backward(
        {saved[0], saved[1], saved[2], saved[3], saved[7], saved[8], saved[4], saved[5], saved[6]},
        saved[9], gradients[0], gradients[1], wants);
    variable_list results(found.begin(), found.end());
    results.resize(kEdgeGradients + 2);
    return results;
  }
};

bool records(const EdgeUpdate& a) {
  const std::array tensors{&a.edges, &a.fixed, &a.of_receiver, &a.of_sender,
                           &a.inner, &a.outer, &a.bias};
  return at::GradMode::is_enabled() &&
         std::any_of(tensors.begin(), tensors.end(),
                     [](const Tensor* tensor) { return tensor->requires_grad(); });
}

using Renewed = std::tuple<Tensor, Tensor>;

// The fallback on a CPU, which refuses the same graphs as the kernels.
Renewed without_kernel(const EdgeUpdate& a) {
  check_graph("edge_update: ", a.sender.contiguous(), a.first_edge.contiguous(),
              a.of_sender.size(0), "of_sender");
  return edge_update_aten(a);
}

Renewed cpu(const EdgeUpdate& a) {
  check(a);
  if (!has_kernel(a)) return without_kernel(a);
  const RenewedEdges results = edge_update_forward(a, false);
  return {results.renewed, results.sums};
}

Renewed autograd_cpu(const EdgeUpdate& a) {
  check(a);
  if (!has_kernel(a)) return without_kernel(a);
  if (!records(a)) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    return cpu(a);
  }
  const variable_list results =
      EdgeUpdateFunction::apply(a.edges, a.fixed, a.of_receiver, a.of_sender, a.inner, a.outer,
                                a.bias, a.sender, a.first_edge);
  return {results[0], results[1]};
}

void check_no_gradients(const EdgeUpdate& a) {
  TORCH_CHECK(
      !records(a),
      "edge_update_: expected no arguments that need gradients; found one. Use edge_update, "
      "or call it under torch.no_grad()");
}

template <Renewed (*kImplementation)(const EdgeUpdate&)>
Tensor copied_in_place(const EdgeUpdate& a) {
  check_no_gradients(a);
  const auto [renewed, sums] = kImplementation(a);
  a.edges.copy_(renewed);
  return sums;
}

Tensor cpu_in_place(const EdgeUpdate& a) {
  check(a);
  return has_kernel(a) ? edge_update_forward_in_place(a) : copied_in_place<without_kernel>(a);
}

Tensor autograd_cpu_in_place(const EdgeUpdate& a) {
  check_no_gradients(a);
  // Autograd then notices if the edges were needed as they were.
  if (!a.edges.is_inference()) a.edges.unsafeGetTensorImpl()->bump_version();
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  return cpu_in_place(a);
}

// The operators' signatures, for each of the implementations above.
template <Renewed (*kImplementation)(const EdgeUpdate&)>
Renewed renewed(const Tensor& edges, const Tensor& fixed, const Tensor& of_receiver,
                const Tensor& of_sender, const Tensor& sender, const Tensor& first_edge,
                const Tensor& inner, const Tensor& outer, const Tensor& bias) {
  return kImplementation(
      {edges, fixed, of_receiver, of_sender, sender, first_edge, inner, outer, bias});
}

template <Tensor (*kImplementation)(const EdgeUpdate&)>
Tensor in_place(Tensor& edges, const Tensor& fixed, const Tensor& of_receiver,
                const Tensor& of_sender, const Tensor& sender, const Tensor& first_edge,
                const Tensor& inner, const Tensor& outer, const Tensor& bias) {
  return kImplementation(
      {edges, fixed, of_receiver, of_sender, sender, first_edge, inner, outer, bias});
}

}  // namespace

void define_edge_update(torch::Library& library) {
  const std::string rest =
      "Tensor fixed, Tensor of_receiver, Tensor of_sender, Tensor sender, Tensor first_edge, "
      "Tensor inner, Tensor outer, Tensor bias) -> ";
  define(library, "edge_update", "(Tensor edges, " + rest + "(Tensor, Tensor)",
         TORCH_FN(renewed<edge_update_aten>), TORCH_FN(renewed<cpu>),
         TORCH_FN(renewed<autograd_cpu>));
  define(library, "edge_update_", "(Tensor(a!) edges, " + rest + "Tensor",
         TORCH_FN(in_place<copied_in_place<edge_update_aten>>), TORCH_FN(in_place<cpu_in_place>),
         TORCH_FN(in_place<autograd_cpu_in_place>));
}

}  // namespace glassml
