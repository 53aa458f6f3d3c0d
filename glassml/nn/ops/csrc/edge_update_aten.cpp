// The renewal of edges in plain ATen operations: the C++ twin of edge_update.py, with its checks.

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "edge_update.h"

namespace glassml {
namespace {

using Named = std::pair<const char*, const at::Tensor*>;

void check_dimensions(const char* name, const at::Tensor& tensor, int64_t dim) {
  TORCH_CHECK(tensor.dim() == dim, "edge_update: ", name, ": expected ",
              dim == 2 ? "two dimensions" : "one dimension", "; found shape ", tensor.sizes());
}

void check_shape(const char* name, const at::Tensor& tensor, at::IntArrayRef expected) {
  TORCH_CHECK(tensor.sizes() == expected, "edge_update: ", name, ": expected shape ", expected,
              "; found ", tensor.sizes());
}

void check_numbers(const EdgeUpdate& a, const char* name, const at::Tensor& tensor) {
  TORCH_CHECK(tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kDouble,
              "edge_update: ", name, ": expected float32 or float64; found ", tensor.scalar_type());
  TORCH_CHECK(tensor.scalar_type() == a.edges.scalar_type(), "edge_update: ", name,
              ": expected the dtype of edges, ", a.edges.scalar_type(), "; found ",
              tensor.scalar_type());
}

}  // namespace

void check(const EdgeUpdate& a) {
  const Named matrices[] = {
      {"edges", &a.edges},         {"fixed", &a.fixed}, {"of_receiver", &a.of_receiver},
      {"of_sender", &a.of_sender}, {"inner", &a.inner}, {"outer", &a.outer}};
  const Named indices[] = {{"sender", &a.sender}, {"first_edge", &a.first_edge}};
  for (const auto& [name, tensor] : matrices) check_dimensions(name, *tensor, 2);
  check_dimensions("bias", a.bias, 1);
  for (const auto& [name, tensor] : indices) check_dimensions(name, *tensor, 1);
  for (const auto& [name, tensor] : matrices) check_numbers(a, name, *tensor);
  check_numbers(a, "bias", a.bias);
  for (const auto& [name, tensor] : indices) {
    TORCH_CHECK(tensor->scalar_type() == at::kLong, "edge_update: ", name,
                ": expected int64; found ", tensor->scalar_type());
  }
  for (const auto& [name, tensor] : {matrices[1], matrices[2], matrices[3], matrices[4],
                                     matrices[5], Named{"bias", &a.bias}, indices[0], indices[1]}) {
    TORCH_CHECK(tensor->device() == a.edges.device(), "edge_update: ", name,
                ": expected the device of edges, ", a.edges.device(), "; found ", tensor->device());
  }
  TORCH_CHECK(a.first_edge.size(0) >= 1,
              "edge_update: first_edge: expected n + 1 entries, the first of them 0; found none");
  const int64_t n_edges = a.edges.size(0), width = a.width(), hidden = a.hidden();
  check_shape("fixed", a.fixed, {n_edges, hidden});
  check_shape("of_receiver", a.of_receiver, {a.n_local(), hidden});
  check_shape("of_sender", a.of_sender, {a.of_sender.size(0), hidden});
  check_shape("sender", a.sender, {n_edges});
  check_shape("inner", a.inner, {hidden, width});
  check_shape("outer", a.outer, {width, hidden});
  check_shape("bias", a.bias, {width});
}

std::tuple<at::Tensor, at::Tensor> edge_update_aten(const EdgeUpdate& a) {
  check(a);
  // An optional, as a number would select the function that repeats every entry as often.
  const std::optional<int64_t> n_edges = a.sender.size(0);
  const at::Tensor receiver = at::repeat_interleave(a.first_edge.diff(), n_edges);
  const at::Tensor parts =
      a.fixed + a.of_receiver.index_select(0, receiver) + a.of_sender.index_select(0, a.sender);
  const at::Tensor hidden = at::addmm(parts, a.edges, a.inner.t()).relu();
  const at::Tensor renewed = at::addmm(a.bias, hidden, a.outer.t()).relu();
  const at::Tensor zeros = at::zeros({a.of_receiver.size(0), renewed.size(1)}, renewed.options());
  return {renewed, zeros.index_add(0, receiver, renewed)};
}

}  // namespace glassml
