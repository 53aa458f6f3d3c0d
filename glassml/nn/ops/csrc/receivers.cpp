#include "receivers.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace glassml {

void check_graph(const char* name, const at::Tensor& sender, const at::Tensor& first_edge,
                 int64_t n_all, const char* rows) {
  const int64_t* bounds = first_edge.const_data_ptr<int64_t>();
  const int64_t n_local = first_edge.size(0) - 1, n_edges = sender.size(0);
  TORCH_CHECK(bounds[0] == 0 && bounds[n_local] == n_edges, name,
              "first_edge: expected entries from 0 to ", n_edges, ", the number of edges; found ",
              bounds[0], " to ", bounds[n_local]);
  TORCH_CHECK(std::is_sorted(bounds, bounds + n_local + 1), name,
              "first_edge: expected a row pointer; found entries that decrease");
  const int64_t* senders = sender.const_data_ptr<int64_t>();
  const auto is_row = [n_all](int64_t index) { return 0 <= index && index < n_all; };
  // Without an early exit, so that the loop is vectorised: in general all indices are right.
  int64_t n_rows = 0;
  for (int64_t edge = 0; edge < n_edges; ++edge) n_rows += is_row(senders[edge]) ? 1 : 0;
  if (n_rows == n_edges) return;
  const int64_t* wrong = std::find_if_not(senders, senders + n_edges, is_row);
  TORCH_CHECK(false, name, "sender[", wrong - senders, "]: expected a row of ", rows, ", 0 to ",
              n_all - 1, "; found ", *wrong);
}

at::Tensor with_dense_rows(const at::Tensor& matrix) {
  return matrix.stride(1) == 1 || matrix.numel() == 0 ? matrix : matrix.contiguous();
}

std::vector<int64_t> balanced_ranges(const at::Tensor& first_edge) {
  const int64_t n_local = first_edge.size(0) - 1;
  // At least one range, as gradients are sums over ranges.
  const int64_t n_ranges = std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), n_local));
  const int64_t* entries = first_edge.const_data_ptr<int64_t>();
  std::vector<int64_t> bounds(n_ranges + 1, n_local);
  for (int64_t range = 0; range < n_ranges; ++range) {
    const int64_t target = entries[n_local] * range / n_ranges;
    bounds[range] = std::lower_bound(entries, entries + n_local, target) - entries;
  }
  bounds[0] = 0;
  return bounds;
}

at::Tensor parts_like(const at::Tensor& matrix, int64_t n_ranges) {
  return at::zeros({n_ranges, matrix.size(0), matrix.size(1)}, matrix.options());
}

at::Tensor sum_of(const at::Tensor& parts) {
  if (!parts.defined()) return parts;
  at::Tensor sum = parts[0];
  for (int64_t range = 1; range < parts.size(0); ++range) sum.add_(parts[range]);
  return sum;
}

}  // namespace glassml
