// Registers the operators of the namespace glassml with PyTorch's dispatcher.

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "convolution.h"
#include "registration.h"
#include "simd.h"

namespace glassml {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Has gradients with respect to `state`, `weights` (radial or table) and `mixing`.
class ConvolutionFunction : public torch::autograd::Function<ConvolutionFunction> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& state, const Tensor& weights,
                        const std::optional<Tensor>& /*mixing*/, const Arguments& a) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    const auto [result, product] =
        convolution_forward(a, a.has_mixing() && a.mixing.requires_grad());
    context->save_for_backward(
        {state, weights, a.mixing, product, a.edge_vector, a.sender, a.first_edge, a.knots});
    context->saved_data["l_in"] = a.l_in;
    context->saved_data["l_max"] = a.l_max;
    context->saved_data["channels"] = a.channels;
    context->saved_data["has_table"] = a.has_table();
    context->saved_data["rectify"] = a.rectify;
    return result;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const bool has_table = context->saved_data["has_table"].toBool();
    const Arguments arguments{.state = saved[0],
                              .edge_vector = saved[4],
                              .radial = has_table ? Tensor() : saved[1],
                              .sender = saved[5],
                              .first_edge = saved[6],
                              .l_in = context->saved_data["l_in"].toInt(),
                              .l_max = context->saved_data["l_max"].toInt(),
                              .channels = context->saved_data["channels"].toInt(),
                              .mixing = saved[2],
                              .knots = saved[7],
                              .table = has_table ? saved[1] : Tensor(),
                              .rectify = context->saved_data["rectify"].toBool()};
    TORCH_CHECK_NOT_IMPLEMENTED(
        !at::GradMode::is_enabled(), arguments.name(),
        "the native operator has no second derivatives; call backward without create_graph or set "
        "GLASSML_BACKEND=reference before glassml is used");
    const ConvolutionGradients found = convolution_backward(
        arguments, gradients[0], saved[3], context->needs_input_grad(0),
        context->needs_input_grad(1), arguments.has_mixing() && context->needs_input_grad(2));
    return {found.state, found.weights, found.mixing, Tensor()};
  }
};

Tensor cpu(const Arguments& a) {
  return has_kernel(a) ? std::get<0>(convolution_forward(a, false)) : convolution_aten(a);
}

Tensor autograd_cpu(const Arguments& a) {
  if (!has_kernel(a)) return convolution_aten(a);
  const bool records = at::GradMode::is_enabled();
  for (const auto& [name, tensor] : {std::pair{"edge_vector", a.edge_vector}, {"knots", a.knots}}) {
    TORCH_CHECK_NOT_IMPLEMENTED(!(records && tensor.defined() && tensor.requires_grad()), a.name(),
                                "the native operator has no gradient with respect to ", name,
                                "; detach ", name,
                                " or set GLASSML_BACKEND=reference before glassml is used");
  }
  return ConvolutionFunction::apply(a.state, a.weights(),
                                    a.has_mixing() ? std::optional(a.mixing) : std::nullopt, a);
}

Tensor given(const std::optional<Tensor>& tensor) { return tensor.value_or(Tensor()); }

// The operators' signatures, for each of the implementations above.
template <Tensor (*kImplementation)(const Arguments&)>
Tensor equivariant(const Tensor& state, const Tensor& edge_vector, const Tensor& radial,
                   const Tensor& sender, const Tensor& first_edge, int64_t l_in, int64_t l_max,
                   int64_t channels, const std::optional<Tensor>& mixing) {
  return kImplementation({.state = state,
                          .edge_vector = edge_vector,
                          .radial = radial,
                          .sender = sender,
                          .first_edge = first_edge,
                          .l_in = l_in,
                          .l_max = l_max,
                          .channels = channels,
                          .mixing = given(mixing)});
}

template <Tensor (*kImplementation)(const Arguments&)>
Tensor tabulated(const Tensor& state, const Tensor& edge_vector, const Tensor& knots,
                 const Tensor& table, const Tensor& sender, const Tensor& first_edge, int64_t l_in,
                 int64_t l_max, int64_t channels, bool rectify,
                 const std::optional<Tensor>& mixing) {
  return kImplementation({.state = state,
                          .edge_vector = edge_vector,
                          .radial = Tensor(),
                          .sender = sender,
                          .first_edge = first_edge,
                          .l_in = l_in,
                          .l_max = l_max,
                          .channels = channels,
                          .mixing = given(mixing),
                          .knots = knots,
                          .table = table,
                          .rectify = rectify});
}

const std::string kEquivariant =
    "(Tensor state, Tensor edge_vector, Tensor radial, Tensor sender, Tensor first_edge, int l_in, "
    "int l_max, int channels, Tensor? mixing=None) -> Tensor";
const std::string kTabulated =
    "(Tensor state, Tensor edge_vector, Tensor knots, Tensor table, Tensor sender, "
    "Tensor first_edge, int l_in, int l_max, int channels, bool rectify, "
    "Tensor? mixing=None) -> Tensor";

TORCH_LIBRARY_FRAGMENT(glassml, library) {
  // A Python process may have registered the reference before LAMMPS loads this library with the
  // plugin. Registering twice would end the process, and the operator already there is equivalent.
  if (c10::Dispatcher::singleton().findSchema({"glassml::equivariant_convolution", ""})) return;
  define(library, "equivariant_convolution", kEquivariant, TORCH_FN(equivariant<convolution_aten>),
         TORCH_FN(equivariant<cpu>), TORCH_FN(equivariant<autograd_cpu>));
  define(library, "tabulated_convolution", kTabulated, TORCH_FN(tabulated<convolution_aten>),
         TORCH_FN(tabulated<cpu>), TORCH_FN(tabulated<autograd_cpu>));
  define_edge_update(library);
  define_shell_sums(library);
  define_weighted_sums(library);
  library.def("simd_level() -> str", simd_level);
  library.def("simd_levels() -> str[]", simd_levels);
}

}  // namespace
}  // namespace glassml
