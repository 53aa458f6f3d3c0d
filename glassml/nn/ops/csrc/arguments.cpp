#include <ATen/ATen.h>

#include "convolution.h"
#include "paths.h"

namespace glassml {
namespace {

void check_matrix(const Arguments& a, const char* name, const at::Tensor& tensor, int64_t dim = 2) {
  TORCH_CHECK(tensor.dim() == dim, a.name(), name, ": expected ",
              dim == 2 ? "two dimensions" : "one dimension", "; found shape ", tensor.sizes());
  TORCH_CHECK(tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kDouble, a.name(),
              name, ": expected float32 or float64; found ", tensor.scalar_type());
  TORCH_CHECK(tensor.scalar_type() == a.state.scalar_type(), a.name(), name,
              ": expected the dtype of state, ", a.state.scalar_type(), "; found ",
              tensor.scalar_type());
}

void check_indices(const Arguments& a, const char* name, const at::Tensor& tensor) {
  TORCH_CHECK(tensor.dim() == 1, a.name(), name, ": expected one dimension; found shape ",
              tensor.sizes());
  TORCH_CHECK(tensor.scalar_type() == at::kLong, a.name(), name, ": expected int64; found ",
              tensor.scalar_type());
}

void check_devices(const Arguments& a) {
  const at::Tensor* tensors[] = {&a.edge_vector, &a.radial, &a.sender, &a.first_edge,
                                 &a.knots,       &a.table,  &a.mixing};
  const char* names[] = {"edge_vector", "radial", "sender", "first_edge",
                         "knots",       "table",  "mixing"};
  for (int k = 0; k < 7; ++k) {
    if (!tensors[k]->defined()) continue;
    TORCH_CHECK(tensors[k]->device() == a.state.device(), a.name(), names[k],
                ": expected the device of state, ", a.state.device(), "; found ",
                tensors[k]->device());
  }
}

void check_weights(const Arguments& a, const ConvolutionShape& shape) {
  const at::Tensor& weights = a.weights();
  const int64_t rows = a.has_table() ? a.knots.size(0) : a.n_edges();
  TORCH_CHECK(weights.size(0) == rows && weights.size(1) == shape.n_radial(), a.name(),
              a.has_table() ? "table" : "radial", ": expected shape [", rows, ", ",
              shape.n_radial(), "] = [", a.has_table() ? "knots" : "edges", ", ", shape.n_paths(),
              " paths x ", a.channels, " channels + ", a.l_max + 1, " degrees x ", a.n_in(),
              " scalars]; found ", weights.sizes());
  if (!a.has_table()) return;
  TORCH_CHECK(a.knots.size(0) >= 2, a.name(), "knots: expected 2 entries or more; found ",
              a.knots.size(0));
}

}  // namespace

void check(const Arguments& a) {
  TORCH_CHECK(a.l_in >= -1, a.name(), "l_in: expected -1 (no features) or more; found ", a.l_in);
  TORCH_CHECK(a.l_max >= 0, a.name(), "l_max: expected 0 or more; found ", a.l_max);
  TORCH_CHECK(a.channels >= 1, a.name(), "channels: expected 1 or more; found ", a.channels);
  check_matrix(a, "state", a.state);
  check_matrix(a, "edge_vector", a.edge_vector);
  if (a.has_mixing()) check_matrix(a, "mixing", a.mixing);
  if (a.has_table()) {
    check_matrix(a, "table", a.table);
    check_matrix(a, "knots", a.knots, 1);
  } else {
    check_matrix(a, "radial", a.radial);
  }
  check_indices(a, "sender", a.sender);
  check_indices(a, "first_edge", a.first_edge);
  check_devices(a);
  TORCH_CHECK(a.first_edge.size(0) >= 1, a.name(),
              "first_edge: expected n_local + 1 entries, the first of them 0; found none");
  const int64_t hidden = (a.l_in + 1) * (a.l_in + 1) * a.channels;
  TORCH_CHECK(a.n_in() >= 0, a.name(), "state: expected at least ", hidden,
              " columns = (l_in + 1)^2 x channels for l_in = ", a.l_in, " and ", a.channels,
              " channels; found ", a.state.size(1));
  TORCH_CHECK(a.edge_vector.size(0) == a.n_edges() && a.edge_vector.size(1) == 3, a.name(),
              "edge_vector: expected shape [", a.n_edges(), ", 3] = [edges, 3]; found ",
              a.edge_vector.sizes());
  const ConvolutionShape shape(a.l_in, a.l_max, a.channels, a.n_in());
  check_weights(a, shape);
  if (!a.has_mixing()) return;
  TORCH_CHECK(a.mixing.size(0) == shape.n_columns() && a.mixing.size(1) >= 1, a.name(),
              "mixing: expected shape [", shape.n_columns(),
              ", 1 or more] = [columns of all degrees, mixed columns]; found ", a.mixing.sizes());
}

}  // namespace glassml
