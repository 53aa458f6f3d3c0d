// The convolution in plain ATen operations, path by path: the C++ twin of reference.py.

#include <ATen/ATen.h>

#include <cmath>
#include <cstddef>
#include <vector>

#include "clebsch_gordan.h"
#include "convolution.h"
#include "harmonics.h"
#include "paths.h"

namespace glassml {
namespace {

// Coefficients as a matrix [m_F, m_I * m_O], in the dtype and on the device of `like`.
at::Tensor coupling(int l_I, int l_F, int l_O, const at::Tensor& like) {
  std::vector<double> values = clebsch_gordan(l_I, l_F, l_O);
  const at::Tensor table =
      at::from_blob(values.data(), {2 * l_I + 1, 2 * l_F + 1, 2 * l_O + 1}, at::kDouble);
  // Always a copy, as the values are destroyed at the end of this function.
  return table.permute({1, 0, 2}).reshape({2 * l_F + 1, -1}).to(like.options(), false, true);
}

}  // namespace

at::Tensor harmonics_of(const at::Tensor& edge_vector, const at::Tensor& r, int64_t l_max) {
  const at::Tensor length = r.unsqueeze(1);
  // Harmonics are functions of the direction; a vector of length 0 has none.
  const at::Tensor safe = at::where(length > 0, length, at::ones_like(length));
  const at::Tensor first = edge_vector * std::sqrt(3.0) / safe;
  std::vector<at::Tensor> columns{at::ones_like(r)};
  if (l_max > 0) {
    for (const at::Tensor& axis : first.unbind(1)) columns.push_back(axis);
  }
  for (const HarmonicTerm& term : harmonic_terms(static_cast<int>(l_max))) {
    const at::Tensor product = columns[term.previous] * columns[1 + term.axis] * term.value;
    if (static_cast<std::size_t>(term.target) == columns.size()) {
      columns.push_back(product);
    } else {
      columns[term.target] = columns[term.target] + product;
    }
  }
  return at::stack(columns, 1);
}

namespace {

// The tensors of one call, for every edge.
struct PerEdge {
  at::Tensor state;     // [E, W]
  at::Tensor sh;        // [E, (l_max + 1)^2]
  at::Tensor radial;    // [E, P]
  at::Tensor receiver;  // [E]
  int64_t n_local;

  at::Tensor harmonics(int64_t l) const { return sh.narrow(1, l * l, 2 * l + 1); }

  // [E, n_O, columns] -> [n_local, n_O, columns]
  at::Tensor sum(const at::Tensor& messages) const {
    const at::Tensor zeros =
        at::zeros({n_local, messages.size(1), messages.size(2)}, messages.options());
    return zeros.index_add(0, receiver, messages);
  }
};

at::Tensor path_message(const PerEdge& edges, const PathGroup& group, const Path& path,
                        int64_t channels) {
  const int64_t n_edges = edges.sh.size(0);
  const int64_t n_I = 2 * group.l_I + 1;
  const int64_t n_O = 2 * path.l_O + 1;
  const at::Tensor mixing =  // [E, m_I, m_O]
      edges.harmonics(group.l_F)
          .matmul(coupling(group.l_I, group.l_F, path.l_O, edges.sh))
          .view({n_edges, n_I, n_O});
  const at::Tensor features =  // [E, m_I, channel]
      edges.state.narrow(1, group.l_I * group.l_I * channels, n_I * channels)
          .reshape({n_edges, n_I, channels});
  const at::Tensor weights = edges.radial.narrow(1, path.index * channels, channels).unsqueeze(1);
  return mixing.transpose(1, 2).bmm(features) * weights;
}

at::Tensor scalar_message(const PerEdge& edges, int64_t l, int64_t l_max, int64_t n_in) {
  const int64_t first_weight = edges.radial.size(1) - (l_max + 1 - l) * n_in;
  const at::Tensor weights = edges.radial.narrow(1, first_weight, n_in);
  const at::Tensor scalars = edges.state.narrow(1, edges.state.size(1) - n_in, n_in);
  return edges.harmonics(l).unsqueeze(2) * (weights * scalars).unsqueeze(1);
}

// Weights of the edges, whose lengths are r [E]: [E, P].
at::Tensor weights_of(const Arguments& a, const at::Tensor& r) {
  if (!a.has_table()) return a.radial;
  const at::Tensor last = at::searchsorted(a.knots, r.contiguous(), false, true) - 1;
  const at::Tensor interval = last.clamp(0, a.knots.size(0) - 2);
  const at::Tensor low = a.knots.index_select(0, interval);
  const at::Tensor width = a.knots.index_select(0, interval + 1) - low;
  const at::Tensor inside = ((r - low) / width).clamp(0, 1);
  const at::Tensor t = at::where(width > 0, inside, at::zeros_like(inside)).unsqueeze(1);
  const at::Tensor weights =
      a.table.index_select(0, interval) * (1 - t) + a.table.index_select(0, interval + 1) * t;
  return a.rectify ? weights.relu() : weights;
}

PerEdge gather(const Arguments& a) {
  const at::Tensor edge = at::arange(a.n_edges(), a.sender.options());
  const at::Tensor receiver = at::searchsorted(a.first_edge, edge, false, true) - 1;
  const at::Tensor r = a.edge_vector.norm(2, 1);
  return PerEdge{a.state.index_select(0, a.sender), harmonics_of(a.edge_vector, r, a.l_max),
                 weights_of(a, r), receiver, a.n_local()};
}

// Maps the columns of a block [n, m_O, K_l] by their rows of the mixing, if there is any.
at::Tensor mixed(const Arguments& a, const at::Tensor& block, int64_t& first_row) {
  if (!a.has_mixing()) return block;
  const at::Tensor rows = a.mixing.narrow(0, first_row, block.size(2));
  first_row += block.size(2);
  return block.matmul(rows);
}

}  // namespace

at::Tensor convolution_aten(const Arguments& a) {
  check(a);
  const PathTable& table = path_table(static_cast<int>(a.l_in), static_cast<int>(a.l_max));
  const PerEdge edges = gather(a);
  std::vector<at::Tensor> by_index(table.paths.size());
  std::vector<int> degree(table.paths.size());
  for (const PathGroup& group : table.groups) {
    for (int p = group.first_path; p < group.first_path + group.n_paths; ++p) {
      const Path& path = table.paths[p];
      by_index[path.index] = edges.sum(path_message(edges, group, path, a.channels));
      degree[path.index] = path.l_O;
    }
  }
  std::vector<at::Tensor> blocks;
  int64_t first_row = 0;
  for (int l_O = 0; l_O <= a.l_max; ++l_O) {
    std::vector<at::Tensor> columns;
    for (std::size_t k = 0; k < by_index.size(); ++k) {
      if (degree[k] == l_O) columns.push_back(by_index[k]);
    }
    columns.push_back(edges.sum(scalar_message(edges, l_O, a.l_max, a.n_in())));
    const at::Tensor block = mixed(a, at::cat(columns, 2), first_row);
    blocks.push_back(block.reshape({block.size(0), block.size(1) * block.size(2)}));
  }
  return at::cat(blocks, 1);
}

}  // namespace glassml
