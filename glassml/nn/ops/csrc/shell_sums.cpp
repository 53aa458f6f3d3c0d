// shell_sums: checks, plain ATen operations, the kernels in parallel over receivers. Definition in
// shell_sums.py.

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "convolution.h"
#include "harmonics.h"
#include "receivers.h"
#include "registration.h"
#include "simd.h"

namespace glassml {
namespace {

using at::Tensor;

struct ShellSums {
  Tensor kind;         // int64 [n_all]
  Tensor edge_vector;  // [E, 3]
  Tensor sender;       // int64 [E]
  Tensor first_edge;   // int64 [n + 1]
  double start;
  double cutoff;
  int64_t shells;
  int64_t kinds;
  int64_t l_max;
};

// Throws c10::Error, which says what was expected and found, if the arguments do not fit.
void check(const ShellSums& a) {
  const std::pair<const char*, const Tensor*> indices[] = {
      {"kind", &a.kind}, {"sender", &a.sender}, {"first_edge", &a.first_edge}};
  TORCH_CHECK(a.edge_vector.dim() == 2 && a.edge_vector.size(1) == 3,
              "shell_sums: edge_vector: expected shape [E, 3]; found ", a.edge_vector.sizes());
  TORCH_CHECK(
      a.edge_vector.scalar_type() == at::kFloat || a.edge_vector.scalar_type() == at::kDouble,
      "shell_sums: edge_vector: expected float32 or float64; found ", a.edge_vector.scalar_type());
  for (const auto& [name, tensor] : indices) {
    TORCH_CHECK(tensor->dim() == 1, "shell_sums: ", name, ": expected one dimension; found shape ",
                tensor->sizes());
    TORCH_CHECK(tensor->scalar_type() == at::kLong, "shell_sums: ", name,
                ": expected int64; found ", tensor->scalar_type());
    TORCH_CHECK(tensor->device() == a.edge_vector.device(), "shell_sums: ", name,
                ": expected the device of edge_vector, ", a.edge_vector.device(), "; found ",
                tensor->device());
  }
  TORCH_CHECK(a.sender.size(0) == a.edge_vector.size(0),
              "shell_sums: sender: expected one for each of ", a.edge_vector.size(0),
              " edges; found ", a.sender.size(0));
  TORCH_CHECK(a.first_edge.size(0) >= 1,
              "shell_sums: first_edge: expected n + 1 entries, the first of them 0; found none");
  TORCH_CHECK(a.start < a.cutoff, "shell_sums: start: expected a distance below the cutoff, ",
              a.cutoff, "; found ", a.start);
  TORCH_CHECK(a.shells >= 1 && a.kinds >= 1,
              "shell_sums: shells, kinds: expected at least 1; found ", a.shells, " and ", a.kinds);
  TORCH_CHECK(a.l_max >= 0 && a.l_max <= 11, "shell_sums: l_max: expected 0 to 11; found ",
              a.l_max);
}

// In plain ATen operations, on any device, differentiable by autograd.
Tensor aten(const ShellSums& a) {
  check(a);
  const int64_t n = a.first_edge.size(0) - 1;
  const Tensor r = at::linalg_vector_norm(a.edge_vector, 2, at::IntArrayRef{1});
  const double per_length = static_cast<double>(a.shells) / (a.cutoff - a.start);
  const Tensor cell = (r - a.start) * per_length;
  const Tensor position = at::where(cell > 0, cell, at::zeros_like(cell));
  const Tensor shell = at::clamp_max(position.detach().floor(), a.shells).to(at::kLong);
  const Tensor outer = (position - shell).unsqueeze(1);
  // An optional, as a number would select the function that repeats every entry as often.
  const std::optional<int64_t> n_edges = a.sender.size(0);
  const Tensor receiver = at::repeat_interleave(a.first_edge.diff(), n_edges);
  // One more shell for each kind takes what is beyond the last knot, where all shells vanish.
  const int64_t slots = a.shells + 1;
  const Tensor row = (receiver * a.kinds + a.kind.index_select(0, a.sender)) * slots + shell;
  const Tensor harmonics =
      harmonics_of(a.edge_vector, r, a.l_max) * (shell < a.shells).unsqueeze(1);
  const Tensor zeros = at::zeros({n * a.kinds * slots + 1, harmonics.size(1)}, harmonics.options());
  const Tensor sums = zeros.index_add(0, row, (1 - outer) * harmonics)
                          .index_add(0, row + 1, outer * harmonics)
                          .narrow(0, 0, n * a.kinds * slots)
                          .view({n, a.kinds, slots, harmonics.size(1)})
                          .narrow(2, 0, a.shells);
  return sums.permute({0, 3, 1, 2}).flatten(1);
}

void check_kinds(const Tensor& kind, int64_t kinds) {
  const int64_t* values = kind.const_data_ptr<int64_t>();
  const int64_t* end = values + kind.size(0);
  const int64_t* wrong =
      std::find_if(values, end, [kinds](int64_t k) { return k < 0 || k >= kinds; });
  TORCH_CHECK(wrong == end, "shell_sums: kind[", wrong - values, "]: expected 0 to ", kinds - 1,
              "; found ", wrong == end ? 0 : *wrong);
}

template <typename T>
auto kernel_of() {
  if constexpr (std::is_same_v<T, float>)
    return shell_kernels().of_float;
  else
    return shell_kernels().of_double;
}

Tensor cpu(const ShellSums& given) {
  check(given);
  ShellSums a = given;
  for (Tensor ShellSums::* tensor :
       {&ShellSums::kind, &ShellSums::edge_vector, &ShellSums::sender, &ShellSums::first_edge})
    a.*tensor = (given.*tensor).contiguous();
  check_graph("shell_sums: ", a.sender, a.first_edge, a.kind.size(0), "kind");
  check_kinds(a.kind, a.kinds);
  const int64_t n_harmonics = (a.l_max + 1) * (a.l_max + 1), channels = a.kinds * a.shells;
  const std::vector<HarmonicTerm> terms = harmonic_terms(static_cast<int>(a.l_max));
  const std::vector<int64_t> bounds = balanced_ranges(a.first_edge);
  const auto n_ranges = static_cast<int64_t>(bounds.size()) - 1;
  Tensor sums =
      at::empty({a.first_edge.size(0) - 1, n_harmonics * channels}, a.edge_vector.options());
  Tensor scratch =
      at::empty({n_ranges, shell_scratch(n_harmonics, channels)}, a.edge_vector.options());
  AT_DISPATCH_FLOATING_TYPES(a.edge_vector.scalar_type(), "shell_sums", [&] {
    const ShellInputs<scalar_t> inputs{
        .edge_vector = a.edge_vector.const_data_ptr<scalar_t>(),
        .kind = a.kind.const_data_ptr<int64_t>(),
        .sender = a.sender.const_data_ptr<int64_t>(),
        .first_edge = a.first_edge.const_data_ptr<int64_t>(),
        .start = static_cast<scalar_t>(a.start),
        .per_length = static_cast<scalar_t>(static_cast<double>(a.shells) / (a.cutoff - a.start)),
        .shells = a.shells,
        .kinds = a.kinds,
        .n_harmonics = static_cast<int>(n_harmonics),
        .harmonic_terms = terms.data(),
        .n_harmonic_terms = static_cast<int>(terms.size())};
    scalar_t* target = sums.mutable_data_ptr<scalar_t>();
    for_receivers(bounds, [&](int64_t range, int64_t begin, int64_t end) {
      kernel_of<scalar_t>()(inputs, begin, end, target, part_of<scalar_t>(scratch, range));
    });
  });
  return sums;
}

Tensor autograd_cpu(const ShellSums& a) {
  TORCH_CHECK_NOT_IMPLEMENTED(
      !(at::GradMode::is_enabled() && a.edge_vector.requires_grad()),
      "shell_sums: the native operator has no gradient with respect to edge_vector; detach "
      "edge_vector or set GLASSML_BACKEND=reference before glassml is used");
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  return cpu(a);
}

// The operator's signature, for each of the implementations above.
template <Tensor (*kImplementation)(const ShellSums&)>
Tensor sums(const Tensor& kind, const Tensor& edge_vector, const Tensor& sender,
            const Tensor& first_edge, double start, double cutoff, int64_t shells, int64_t kinds,
            int64_t l_max) {
  return kImplementation(
      {kind, edge_vector, sender, first_edge, start, cutoff, shells, kinds, l_max});
}

}  // namespace

void define_shell_sums(torch::Library& library) {
  define(library, "shell_sums",
         "(Tensor kind, Tensor edge_vector, Tensor sender, Tensor first_edge, float start, "
         "float cutoff, int shells, int kinds, int l_max) -> Tensor",
         TORCH_FN(sums<aten>), TORCH_FN(sums<cpu>), TORCH_FN(sums<autograd_cpu>));
}

}  // namespace glassml
