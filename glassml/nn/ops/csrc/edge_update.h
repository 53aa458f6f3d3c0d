// The renewal of edges with a memory: definition in edge_update.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <tuple>

namespace glassml {

struct EdgeUpdate {
  at::Tensor edges;        // [E, H]
  at::Tensor fixed;        // [E, K]
  at::Tensor of_receiver;  // [n, K]
  at::Tensor of_sender;    // [n_all, K]
  at::Tensor sender;       // int64 [E]
  at::Tensor first_edge;   // int64 [n + 1]
  at::Tensor inner;        // [K, H]
  at::Tensor outer;        // [H, K]
  at::Tensor bias;         // [H]

  int64_t width() const { return edges.size(1); }
  int64_t hidden() const { return fixed.size(1); }
  int64_t n_local() const { return first_edge.size(0) - 1; }
};

// The matrices and the bias have gradients: edges, fixed, of_receiver, of_sender, inner, outer,
// bias.
constexpr int kEdgeGradients = 7;

// Throws c10::Error, which says what was expected and found, if shapes, dtypes or devices do not
// fit.
void check(const EdgeUpdate& a);

// In plain ATen operations, on any device, differentiable by autograd: the renewed edges [E, H],
// and their sum for each receiver [n, H].
std::tuple<at::Tensor, at::Tensor> edge_update_aten(const EdgeUpdate& a);

// Whether the CPU kernels were compiled for these numbers of columns; otherwise use
// edge_update_aten. The arguments must have been checked.
bool has_kernel(const EdgeUpdate& a);

// What the CPU kernels give.
struct RenewedEdges {
  at::Tensor renewed;    // [E, H]
  at::Tensor sums;       // [n, H]
  at::Tensor is_active;  // bool [E, H], positive elements of `renewed`; undefined if not wanted
};

// CPU kernels; they also check the values of sender and first_edge. The hidden units of all edges
// are never stored.
RenewedEdges edge_update_forward(const EdgeUpdate& a, bool keeps_active);

// The same; writes the renewed edges to a.edges and returns their sums.
at::Tensor edge_update_forward_in_place(const EdgeUpdate& a);

// Gradients with respect to the arguments above where they are wanted, else undefined tensors.
// Hidden units are computed again. Incoming gradients may be undefined.
std::array<at::Tensor, kEdgeGradients> edge_update_backward(
    const EdgeUpdate& a, const at::Tensor& is_active, const at::Tensor& of_renewed,
    const at::Tensor& of_sums, const std::array<bool, kEdgeGradients>& wants);

}  // namespace glassml
