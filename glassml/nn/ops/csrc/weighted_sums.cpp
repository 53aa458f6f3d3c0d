// weighted_sums: checks, plain ATen operations, the kernels in parallel over receivers, gradients.
// Definition in weighted_sums.py.

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "receivers.h"
#include "registration.h"
#include "simd.h"

namespace glassml {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct WeightedSums {
  Tensor values;      // [n_all, C]
  Tensor weights;     // [E]
  Tensor sender;      // int64 [E]
  Tensor first_edge;  // int64 [n + 1]

  int64_t n_local() const { return first_edge.size(0) - 1; }
};

// Throws c10::Error, which says what was expected and found, if shapes, dtypes or devices do not
// fit.
void check(const WeightedSums& a) {
  const std::pair<const char*, const Tensor*> vectors[] = {
      {"weights", &a.weights}, {"sender", &a.sender}, {"first_edge", &a.first_edge}};
  TORCH_CHECK(a.values.dim() == 2, "weighted_sums: values: expected two dimensions; found shape ",
              a.values.sizes());
  for (const auto& [name, tensor] : vectors) {
    TORCH_CHECK(tensor->dim() == 1, "weighted_sums: ", name,
                ": expected one dimension; found shape ", tensor->sizes());
  }
  TORCH_CHECK(a.values.scalar_type() == at::kFloat || a.values.scalar_type() == at::kDouble,
              "weighted_sums: values: expected float32 or float64; found ", a.values.scalar_type());
  TORCH_CHECK(a.weights.scalar_type() == a.values.scalar_type(),
              "weighted_sums: weights: expected the dtype of values, ", a.values.scalar_type(),
              "; found ", a.weights.scalar_type());
  for (const auto& [name, tensor] : {vectors[1], vectors[2]}) {
    TORCH_CHECK(tensor->scalar_type() == at::kLong, "weighted_sums: ", name,
                ": expected int64; found ", tensor->scalar_type());
  }
  for (const auto& [name, tensor] : vectors) {
    TORCH_CHECK(tensor->device() == a.values.device(), "weighted_sums: ", name,
                ": expected the device of values, ", a.values.device(), "; found ",
                tensor->device());
  }
  TORCH_CHECK(a.first_edge.size(0) >= 1,
              "weighted_sums: first_edge: expected n + 1 entries, the first of them 0; found none");
  TORCH_CHECK(a.weights.size(0) == a.sender.size(0),
              "weighted_sums: weights: expected one for each of ", a.sender.size(0),
              " edges; found ", a.weights.size(0));
}

// In plain ATen operations, on any device, differentiable by autograd.
Tensor aten(const WeightedSums& a) {
  check(a);
  // An optional, as a number would select the function that repeats every entry as often.
  const std::optional<int64_t> n_edges = a.sender.size(0);
  const Tensor receiver = at::repeat_interleave(a.first_edge.diff(), n_edges);
  const Tensor zeros = at::zeros({a.n_local(), a.values.size(1)}, a.values.options());
  return zeros.index_add(0, receiver, a.weights.unsqueeze(1) * a.values.index_select(0, a.sender));
}

template <typename T>
const SumKernelsOf<T>& kernels_of() {
  if constexpr (std::is_same_v<T, float>)
    return sum_kernels().of_float;
  else
    return sum_kernels().of_double;
}

WeightedSums prepared(const WeightedSums& a) {
  return {with_dense_rows(a.values), a.weights.contiguous(), a.sender.contiguous(),
          a.first_edge.contiguous()};
}

template <typename T>
SumInputs<T> view_of(const WeightedSums& a) {
  return {a.values.size(1),
          a.values.const_data_ptr<T>(),
          a.values.stride(0),
          a.weights.const_data_ptr<T>(),
          a.sender.const_data_ptr<int64_t>(),
          a.first_edge.const_data_ptr<int64_t>()};
}

Tensor cpu(const WeightedSums& given) {
  check(given);
  const WeightedSums a = prepared(given);
  check_graph("weighted_sums: ", a.sender, a.first_edge, a.values.size(0), "values");
  Tensor sums = at::empty({a.n_local(), a.values.size(1)}, a.values.options());
  AT_DISPATCH_FLOATING_TYPES(a.values.scalar_type(), "weighted_sums", [&] {
    const auto view = view_of<scalar_t>(a);
    scalar_t* target = sums.mutable_data_ptr<scalar_t>();
    for_receivers(balanced_ranges(a.first_edge), [&](int64_t, int64_t begin, int64_t end) {
      kernels_of<scalar_t>().forward(view, begin, end, target);
    });
  });
  return sums;
}

class WeightedSumsFunction : public torch::autograd::Function<WeightedSumsFunction> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& values, const Tensor& weights,
                        const Tensor& sender, const Tensor& first_edge) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    context->save_for_backward({values, weights, sender, first_edge});
    return cpu({values, weights, sender, first_edge});
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    TORCH_CHECK_NOT_IMPLEMENTED(
        !at::GradMode::is_enabled(),
        "weighted_sums: the native operator has no second derivatives; call backward without "
        "create_graph or set GLASSML_BACKEND=reference before glassml is used");
    const variable_list saved = context->get_saved_variables();
    const WeightedSums a = prepared({saved[0], saved[1], saved[2], saved[3]});
    const Tensor of_sums = with_dense_rows(gradients[0]);
    const std::vector<int64_t> bounds = balanced_ranges(a.first_edge);
    Tensor values, weights;
    // Receivers of different threads share senders: each thread adds to its own copy.
    if (context->needs_input_grad(0))
      values = parts_like(a.values, static_cast<int64_t>(bounds.size()) - 1);
    if (context->needs_input_grad(1)) weights = at::empty(a.weights.sizes(), a.weights.options());
    AT_DISPATCH_FLOATING_TYPES(a.values.scalar_type(), "weighted_sums_backward", [&] {
      const auto view = view_of<scalar_t>(a);
      for_receivers(bounds, [&](int64_t range, int64_t begin, int64_t end) {
        kernels_of<scalar_t>().backward(
            view, begin, end,
            {of_sums.const_data_ptr<scalar_t>(), of_sums.stride(0),
             part_of<scalar_t>(values, range), data_of<scalar_t>(weights)});
      });
    });
    return {sum_of(values), weights, Tensor(), Tensor()};
  }
};

Tensor autograd_cpu(const WeightedSums& a) {
  if (at::GradMode::is_enabled() && (a.values.requires_grad() || a.weights.requires_grad()))
    return WeightedSumsFunction::apply(a.values, a.weights, a.sender, a.first_edge);
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  return cpu(a);
}

// The operator's signature, for each of the implementations above.
template <Tensor (*kImplementation)(const WeightedSums&)>
Tensor sums(const Tensor& values, const Tensor& weights, const Tensor& sender,
            const Tensor& first_edge) {
  return kImplementation({values, weights, sender, first_edge});
}

}  // namespace

void define_weighted_sums(torch::Library& library) {
  define(library, "weighted_sums",
         "(Tensor values, Tensor weights, Tensor sender, Tensor first_edge) -> Tensor",
         TORCH_FN(sums<aten>), TORCH_FN(sums<cpu>), TORCH_FN(sums<autograd_cpu>));
}

}  // namespace glassml
