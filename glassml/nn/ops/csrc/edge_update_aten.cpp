// The renewal of edges in plain ATen operations: the C++ twin of edge_update.py.

#include <ATen/ATen.h>

#include "edge_update.h"

namespace glassml {
namespace {

void check_shape(const char* name, const at::Tensor& tensor, at::IntArrayRef expected) {
  TORCH_CHECK(tensor.sizes() == expected, "edge_update: ", name, ": expected shape ", expected,
              "; found ", tensor.sizes());
}

}  // namespace

void check(const EdgeUpdate& a) {
  TORCH_CHECK(
      a.edges.dim() == 2 && a.fixed.dim() == 2 && a.first_edge.dim() == 1 &&
          a.first_edge.size(0) >= 1 && a.of_sender.dim() == 2,
      "edge_update: edges, fixed, of_sender, first_edge: expected 2, 2, 2 and 1 dimensions, and "
      "n + 1 entries of first_edge; found shapes ",
      a.edges.sizes(), ", ", a.fixed.sizes(), ", ", a.of_sender.sizes(), ", ",
      a.first_edge.sizes());
  const int64_t n_edges = a.edges.size(0);
  const int64_t width = a.edges.size(1);
  const int64_t hidden = a.fixed.size(1);
  check_shape("fixed", a.fixed, {n_edges, hidden});
  check_shape("of_receiver", a.of_receiver, {a.first_edge.size(0) - 1, hidden});
  check_shape("of_sender", a.of_sender, {a.of_sender.size(0), hidden});
  check_shape("sender", a.sender, {n_edges});
  check_shape("inner", a.inner, {hidden, width});
  check_shape("outer", a.outer, {width, hidden});
  check_shape("bias", a.bias, {width});
}

std::tuple<at::Tensor, at::Tensor> edge_update_aten(const EdgeUpdate& a) {
  check(a);
  const at::Tensor receiver = at::repeat_interleave(a.first_edge.diff(), std::optional<int64_t>(a.sender.size(0)));
  const at::Tensor parts = a.fixed + a.of_receiver.index_select(0, receiver) +
                           a.of_sender.index_select(0, a.sender);
  const at::Tensor hidden = at::addmm(parts, a.edges, a.inner.t()).relu();
  const at::Tensor renewed = at::addmm(a.bias, hidden, a.outer.t()).relu();
  const at::Tensor zeros =
      at::zeros({a.of_receiver.size(0), renewed.size(1)}, renewed.options());
  return {renewed, zeros.index_add(0, receiver, renewed)};
}

}  // namespace glassml
