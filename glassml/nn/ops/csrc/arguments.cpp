#include <ATen/ATen.h>

#include "convolution.h"
#include "paths.h"

namespace glassml {
namespace {

void check_matrix(const Arguments& a, const char* name, const at::Tensor& tensor, int64_t dim = 2) {
  TORCH_CHECK(tensor.dim() == dim, a.name(), name, " has shape ", tensor.sizes(), ", expected ",
              dim == 2 ? "two dimensions" : "one dimension");
  TORCH_CHECK(tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kDouble, a.name(),
              name, " is ", tensor.scalar_type(), ", expected float32 or float64");
  TORCH_CHECK(tensor.scalar_type() == a.state.scalar_type(), a.name(), name, " is ",
              tensor.scalar_type(), " but state is ", a.state.scalar_type(),
              "; convert them to one dtype");
}

void check_indices(const Arguments& a, const char* name, const at::Tensor& tensor) {
  TORCH_CHECK(tensor.dim() == 1, a.name(), name, " has shape ", tensor.sizes(),
              ", expected one dimension");
  TORCH_CHECK(tensor.scalar_type() == at::kLong, a.name(), name, " is ", tensor.scalar_type(),
              ", expected int64");
}

void check_devices(const Arguments& a) {
  const at::Tensor* tensors[] = {&a.edge_vector, &a.radial, &a.sender, &a.first_edge,
                                 &a.knots,       &a.table,  &a.mixing};
  const char* names[] = {"edge_vector", "radial", "sender", "first_edge",
                         "knots",       "table",  "mixing"};
  for (int k = 0; k < 7; ++k) {
    if (!tensors[k]->defined()) continue;
    TORCH_CHECK(tensors[k]->device() == a.state.device(), a.name(), names[k], " is on ",
                tensors[k]->device(), " but state is on ", a.state.device());
  }
}

void check_weights(const Arguments& a, const ConvolutionShape& shape) {
  const at::Tensor& weights = a.weights();
  const int64_t rows = a.has_table() ? a.knots.size(0) : a.n_edges();
  TORCH_CHECK(weights.size(0) == rows && weights.size(1) == shape.n_radial(), a.name(),
              a.has_table() ? "table" : "radial", " has shape ", weights.sizes(), ", expected [",
              rows, ", ", shape.n_radial(), "] = [", a.has_table() ? "knots" : "edges", ", ",
              shape.n_paths(), " paths x ", a.channels, " channels + ", a.l_max + 1, " degrees x ",
              a.n_in(), " scalars]");
  if (!a.has_table()) return;
  TORCH_CHECK(a.knots.size(0) >= 2, a.name(), "knots has ", a.knots.size(0),
              " entries, expected 2 or more");
}

}  // namespace

void check(const Arguments& a) {
  TORCH_CHECK(a.l_in >= -1, a.name(), "l_in is ", a.l_in, ", expected -1 (no features) or more");
  TORCH_CHECK(a.l_max >= 0, a.name(), "l_max is ", a.l_max, ", expected 0 or more");
  TORCH_CHECK(a.channels >= 1, a.name(), "channels is ", a.channels, ", expected 1 or more");
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
              "first_edge is empty, expected n_local + 1 entries, the first of them 0");
  const int64_t hidden = (a.l_in + 1) * (a.l_in + 1) * a.channels;
  TORCH_CHECK(a.n_in() >= 0, a.name(), "state has ", a.state.size(1),
              " columns, expected at least ", hidden,
              " = (l_in + 1)^2 x channels for l_in = ", a.l_in, " and ", a.channels, " channels");
  TORCH_CHECK(a.edge_vector.size(0) == a.n_edges() && a.edge_vector.size(1) == 3, a.name(),
              "edge_vector has shape ", a.edge_vector.sizes(), ", expected [", a.n_edges(),
              ", 3] = [edges, 3]");
  const ConvolutionShape shape(a.l_in, a.l_max, a.channels, a.n_in());
  check_weights(a, shape);
  if (!a.has_mixing()) return;
  TORCH_CHECK(a.mixing.size(0) == shape.n_columns() && a.mixing.size(1) >= 1, a.name(),
              "mixing has shape ", a.mixing.sizes(), ", expected [", shape.n_columns(),
              ", 1 or more] = [columns of all degrees, mixed columns]");
}

}  // namespace glassml
