#include <ATen/ATen.h>

#include "convolution.h"
#include "paths.h"

namespace glassml {
namespace {

constexpr const char* kName = "equivariant_convolution: ";

void check_matrix(const char* name, const at::Tensor& tensor, const at::Tensor& state) {
  TORCH_CHECK(tensor.dim() == 2, kName, name, " has shape ", tensor.sizes(),
              ", expected two dimensions");
  TORCH_CHECK(tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kDouble, kName,
              name, " is ", tensor.scalar_type(), ", expected float32 or float64");
  TORCH_CHECK(tensor.scalar_type() == state.scalar_type(), kName, name, " is ",
              tensor.scalar_type(), " but state is ", state.scalar_type(),
              "; convert them to one dtype");
}

void check_indices(const char* name, const at::Tensor& tensor) {
  TORCH_CHECK(tensor.dim() == 1, kName, name, " has shape ", tensor.sizes(),
              ", expected one dimension");
  TORCH_CHECK(tensor.scalar_type() == at::kLong, kName, name, " is ", tensor.scalar_type(),
              ", expected int64");
}

void check_devices(const Arguments& a) {
  const at::Tensor* tensors[] = {&a.sh, &a.radial, &a.sender, &a.first_edge};
  const char* names[] = {"sh", "radial", "sender", "first_edge"};
  for (int k = 0; k < 4; ++k) {
    TORCH_CHECK(tensors[k]->device() == a.state.device(), kName, names[k], " is on ",
                tensors[k]->device(), " but state is on ", a.state.device());
  }
}

}  // namespace

void check(const Arguments& a) {
  TORCH_CHECK(a.l_in >= -1, kName, "l_in is ", a.l_in, ", expected -1 (no features) or more");
  TORCH_CHECK(a.l_max >= 0, kName, "l_max is ", a.l_max, ", expected 0 or more");
  TORCH_CHECK(a.channels >= 1, kName, "channels is ", a.channels, ", expected 1 or more");
  check_matrix("state", a.state, a.state);
  check_matrix("sh", a.sh, a.state);
  check_matrix("radial", a.radial, a.state);
  check_indices("sender", a.sender);
  check_indices("first_edge", a.first_edge);
  check_devices(a);
  TORCH_CHECK(a.first_edge.size(0) >= 1, kName,
              "first_edge is empty, expected n_local + 1 entries, the first of them 0");
  const int64_t hidden = (a.l_in + 1) * (a.l_in + 1) * a.channels;
  TORCH_CHECK(a.n_in() >= 0, kName, "state has ", a.state.size(1), " columns, expected at least ",
              hidden, " = (l_in + 1)^2 x channels for l_in = ", a.l_in, " and ", a.channels,
              " channels");
  const int64_t n_sh = (a.l_max + 1) * (a.l_max + 1);
  TORCH_CHECK(a.sh.size(0) == a.n_edges() && a.sh.size(1) == n_sh, kName, "sh has shape ",
              a.sh.sizes(), ", expected [", a.n_edges(), ", ", n_sh, "] = [edges, (l_max + 1)^2]");
  const PathTable& table = path_table(static_cast<int>(a.l_in), static_cast<int>(a.l_max));
  const int64_t n_radial = ConvolutionShape(table, a.channels, a.n_in()).n_radial();
  TORCH_CHECK(a.radial.size(0) == a.n_edges() && a.radial.size(1) == n_radial, kName,
              "radial has shape ", a.radial.sizes(), ", expected [", a.n_edges(), ", ", n_radial,
              "] = [edges, ", table.paths.size(), " paths x ", a.channels, " channels + ",
              a.l_max + 1, " degrees x ", a.n_in(), " scalars]");
}

}  // namespace glassml
