// Registers the operators of the namespace glassml with PyTorch's dispatcher.

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <string>

#include "convolution.h"
#include "simd.h"

namespace glassml {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class ConvolutionFunction : public torch::autograd::Function<ConvolutionFunction> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& state, const Tensor& sh,
                        const Tensor& radial, const Tensor& sender, const Tensor& first_edge,
                        int64_t l_in, int64_t l_max, int64_t channels) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    context->save_for_backward({state, sh, radial, sender, first_edge});
    context->saved_data["l_in"] = l_in;
    context->saved_data["l_max"] = l_max;
    context->saved_data["channels"] = channels;
    return convolution_forward({state, sh, radial, sender, first_edge, l_in, l_max, channels});
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    TORCH_CHECK_NOT_IMPLEMENTED(
        !at::GradMode::is_enabled(),
        "equivariant_convolution: the native operator has no second derivatives; call backward "
        "without create_graph or set GLASSML_BACKEND=reference before glassml is used");
    const variable_list saved = context->get_saved_variables();
    const Arguments arguments{saved[0],
                              saved[1],
                              saved[2],
                              saved[3],
                              saved[4],
                              context->saved_data["l_in"].toInt(),
                              context->saved_data["l_max"].toInt(),
                              context->saved_data["channels"].toInt()};
    auto [state, radial] = convolution_backward(
        arguments, gradients[0], context->needs_input_grad(0), context->needs_input_grad(2));
    variable_list result(8);
    result[0] = state;
    result[2] = radial;
    return result;
  }
};

// Devices without kernels of their own, and an operator by itself so that tests reach it on a CPU.
Tensor generic(const Tensor& state, const Tensor& sh, const Tensor& radial, const Tensor& sender,
               const Tensor& first_edge, int64_t l_in, int64_t l_max, int64_t channels) {
  return convolution_aten({state, sh, radial, sender, first_edge, l_in, l_max, channels});
}

Tensor cpu(const Tensor& state, const Tensor& sh, const Tensor& radial, const Tensor& sender,
           const Tensor& first_edge, int64_t l_in, int64_t l_max, int64_t channels) {
  const Arguments arguments{state, sh, radial, sender, first_edge, l_in, l_max, channels};
  return has_kernel(arguments) ? convolution_forward(arguments) : convolution_aten(arguments);
}

Tensor autograd_cpu(const Tensor& state, const Tensor& sh, const Tensor& radial,
                    const Tensor& sender, const Tensor& first_edge, int64_t l_in, int64_t l_max,
                    int64_t channels) {
  const Arguments arguments{state, sh, radial, sender, first_edge, l_in, l_max, channels};
  if (!has_kernel(arguments)) return convolution_aten(arguments);
  TORCH_CHECK_NOT_IMPLEMENTED(
      !(at::GradMode::is_enabled() && sh.requires_grad()),
      "equivariant_convolution: the native operator has no gradient with respect to sh; detach sh "
      "or set GLASSML_BACKEND=reference before glassml is used");
  return ConvolutionFunction::apply(state, sh, radial, sender, first_edge, l_in, l_max, channels);
}

std::string schema(const std::string& name) {
  return name +
         "(Tensor state, Tensor sh, Tensor radial, Tensor sender, Tensor first_edge, int l_in, "
         "int l_max, int channels) -> Tensor";
}

TORCH_LIBRARY_FRAGMENT(glassml, library) {
  // A Python process may have registered the reference before LAMMPS loads this library with the
  // plugin. Registering twice would end the process; the operator that is there does the same.
  if (c10::Dispatcher::singleton().findSchema({"glassml::equivariant_convolution", ""})) return;
  library.def(schema("equivariant_convolution").c_str());
  library.impl("equivariant_convolution",
               torch::dispatch(c10::DispatchKey::CompositeImplicitAutograd, TORCH_FN(generic)));
  library.impl("equivariant_convolution", torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(cpu)));
  library.impl("equivariant_convolution",
               torch::dispatch(c10::DispatchKey::AutogradCPU, TORCH_FN(autograd_cpu)));
  library.def(schema("equivariant_convolution_aten").c_str(), TORCH_FN(generic));
  library.def("simd_level() -> str", simd_level);
  library.def("simd_levels() -> str[]", simd_levels);
}

}  // namespace
}  // namespace glassml
