// The operators glassml::equivariant_convolution and glassml::tabulated_convolution, which differ
// in the source of the radial weights: their arguments and their two implementations on tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <tuple>

namespace glassml {

// state       [n_all, (l_in + 1)^2 channels + n_in]: [(l, m)][channel] and n_in plain scalars
// edge_vector [E, 3]
// radial      [E, paths * channels + (l_max + 1) n_in]
// sender [E], first_edge [n_local + 1]: edges sorted by receiver, row pointer over receivers
struct Arguments {
  at::Tensor state;
  at::Tensor edge_vector;
  at::Tensor radial;
  at::Tensor sender;
  at::Tensor first_edge;
  int64_t l_in;
  int64_t l_max;
  int64_t channels;
  // [sum over l of K_l, D] linear maps of the columns of each degree; may be undefined.
  at::Tensor mixing = {};
  // Instead of radial (then undefined): knots [K] sorted, table [K, P] weights at the knots.
  at::Tensor knots = {};
  at::Tensor table = {};
  bool rectify = false;  // negative weights become 0

  bool has_table() const { return table.defined(); }
  bool has_mixing() const { return mixing.defined(); }
  const at::Tensor& weights() const { return has_table() ? table : radial; }
  const char* name() const {
    return has_table() ? "tabulated_convolution: " : "equivariant_convolution: ";
  }
  int64_t n_local() const { return first_edge.size(0) - 1; }
  int64_t n_edges() const { return sender.size(0); }
  int64_t n_in() const { return state.size(1) - (l_in + 1) * (l_in + 1) * channels; }
};

// Throws c10::Error, which says what was expected and found, if shapes, dtypes or devices do not
// fit.
void check(const Arguments& arguments);

// Plain ATen operations: any device, any degree, differentiable by autograd. Slower, and needs
// memory for every edge.
at::Tensor convolution_aten(const Arguments& arguments);

// Spherical harmonics of edges [E, 3] with the lengths r [E], in plain ATen operations:
// [E, (l_max + 1)^2].
at::Tensor harmonics_of(const at::Tensor& edge_vector, const at::Tensor& r, int64_t l_max);

// Whether the CPU kernels were compiled for these degrees; otherwise use convolution_aten.
bool has_kernel(const Arguments& arguments);

// CPU kernels; they also check the values of sender, first_edge and knots. Returns the result,
// after mixing if there is any, and if keeps_product the result before mixing, for the gradient of
// mixing.
std::tuple<at::Tensor, at::Tensor> convolution_forward(const Arguments& arguments,
                                                       bool keeps_product);

// Gradients; undefined tensors where they are not wanted.
struct ConvolutionGradients {
  at::Tensor state;
  at::Tensor weights;  // radial or table
  at::Tensor mixing;
};

// `product` is the second result of convolution_forward, needed if there is mixing and
// wants_mixing.
ConvolutionGradients convolution_backward(const Arguments& arguments,
                                          const at::Tensor& result_gradient,
                                          const at::Tensor& product, bool wants_state,
                                          bool wants_weights, bool wants_mixing);

}  // namespace glassml
