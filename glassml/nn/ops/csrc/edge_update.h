// The renewal of edges with a memory: definition in edge_update.py.
#pragma once

#include <ATen/ATen.h>

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
};

// Throws c10::Error with a readable message if shapes or types do not fit together.
void check(const EdgeUpdate& a);

// In plain ATen operations: the renewed edges [E, H], and their sum for each receiver [n, H].
std::tuple<at::Tensor, at::Tensor> edge_update_aten(const EdgeUpdate& a);

}  // namespace glassml
