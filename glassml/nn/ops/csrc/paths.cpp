#include "paths.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <utility>

#include "clebsch_gordan.h"
#include "harmonics.h"

namespace glassml {
namespace {

// Coupling first is used where it saves at least this many multiply-adds per edge: it has an
// overhead.
constexpr int kLeastSaving = 10;

// All paths in the order of the radial columns: l_O outermost, then l_I, then l_F.
std::vector<std::pair<PathGroup, Path>> paths_in_order(int l_in, int l_max) {
  std::vector<std::pair<PathGroup, Path>> paths;
  for (int l_O = 0; l_O <= l_max; ++l_O) {
    int position = 0;
    for (int l_I = 0; l_I <= l_in; ++l_I) {
      for (int l_F = 0; l_F <= l_max; ++l_F) {
        if (std::abs(l_I - l_F) > l_O || l_O > l_I + l_F) continue;
        const int index = static_cast<int>(paths.size());
        paths.push_back({PathGroup{l_I, l_F, 0, 0, 0}, Path{l_O, index, position++, {}, {}, 0}});
      }
    }
  }
  return paths;
}

using Lists = std::vector<std::vector<Coefficient>>;

// Appends lists, padded to the length of the longest of them, at least `length`.
CoefficientLists append_lists(std::vector<Coefficient>& coefficients, const Lists& lists,
                              std::size_t length = 0) {
  const int first = static_cast<int>(coefficients.size());
  for (const auto& list : lists) length = std::max(length, list.size());
  for (const auto& list : lists) {
    coefficients.insert(coefficients.end(), list.begin(), list.end());
    coefficients.resize(coefficients.size() + length - list.size(), Coefficient{0, 0.0f, 0.0});
  }
  return {first, static_cast<int>(length)};
}

void append_coefficients(PathTable& table, Path& path, int l_I, int l_F) {
  const std::vector<double> dense = clebsch_gordan(l_I, l_F, path.l_O);
  const int n_I = 2 * l_I + 1, n_F = 2 * l_F + 1, n_O = 2 * path.l_O + 1;
  Lists of_results(n_O), of_products(n_I * n_F), of_couplings(n_I * n_O);
  for (int product = 0; product < n_I * n_F; ++product) {
    for (int m_O = 0; m_O < n_O; ++m_O) {
      const double value = dense[product * n_O + m_O];
      if (std::abs(value) < kNegligible) continue;
      const auto in_float = static_cast<float>(value);
      of_results[m_O].push_back({product, in_float, value});
      of_products[product].push_back({m_O, in_float, value});
      of_couplings[product / n_F * n_O + m_O].push_back({product % n_F, in_float, value});
    }
  }
  path.of_results = append_lists(table.coefficients, of_results);
  path.of_products = append_lists(table.coefficients, of_products);
  path.couplings = append_lists(table.coefficients, of_couplings, kCoupledOrders).first;
}

PathTable make_table(int l_in, int l_max) {
  PathTable table{l_in, l_max, {}, {}, {}, {}, std::vector<int64_t>(l_max + 1, 0)};
  table.harmonic_terms = harmonic_terms(l_max);
  const auto ordered = paths_in_order(l_in, l_max);
  for (const auto& [group, path] : ordered) ++table.paths_per_degree[path.l_O];
  for (int l_I = 0; l_I <= l_in; ++l_I) {
    for (int l_F = 0; l_F <= l_max; ++l_F) {
      PathGroup group{l_I, l_F, static_cast<int>(table.paths.size()), 0, 0};
      for (const auto& [pair, path] : ordered) {
        if (pair.l_I != l_I || pair.l_F != l_F) continue;
        table.paths.push_back(path);
        append_coefficients(table, table.paths.back(), l_I, l_F);
        ++group.n_paths;
        if ((2 * l_I + 1) * 2 * (l_F - path.l_O) >= kLeastSaving) ++group.n_coupled;
      }
      if (group.n_paths > 0) table.groups.push_back(group);
    }
  }
  return table;
}

Part part_of(const PathTable& table, int64_t channels, const std::vector<Chunk>& chunks,
             int64_t state_start, int64_t radial_start, const std::vector<int64_t>& result_start) {
  return Part{channels,
              chunks.data(),
              static_cast<int>(chunks.size()),
              table.l_in,
              state_start,
              radial_start,
              table.groups.data(),
              static_cast<int>(table.groups.size()),
              table.paths.data(),
              static_cast<int>(table.paths.size()),
              table.coefficients.data(),
              result_start.data()};
}

}  // namespace

const PathTable& path_table(int l_in, int l_max) {
  static std::mutex mutex;
  static std::map<std::pair<int, int>, std::unique_ptr<const PathTable>> tables;
  const std::lock_guard<std::mutex> lock(mutex);
  auto& table = tables[{l_in, l_max}];
  if (!table) table = std::make_unique<const PathTable>(make_table(l_in, l_max));
  return *table;
}

ConvolutionShape::ConvolutionShape(int64_t l_in, int64_t l_max, int64_t channels, int64_t n_in) {
  const PathTable& hidden = path_table(static_cast<int>(l_in), static_cast<int>(l_max));
  // Plain scalars are features of degree 0: their paths are (l, 0, l).
  const PathTable& scalar = path_table(0, static_cast<int>(l_max));
  int64_t width = 0;
  for (int l_O = 0; l_O <= l_max; ++l_O) {
    const int64_t of_hidden = hidden.paths_per_degree[l_O] * channels;
    hidden_start_.push_back(width);
    scalar_start_.push_back(width + of_hidden);
    block_columns_.push_back(of_hidden + n_in);
    width += (2 * l_O + 1) * block_columns_.back();
  }
  const int64_t n_hidden = (l_in + 1) * (l_in + 1) * channels;
  const int64_t n_hidden_weights = static_cast<int64_t>(hidden.paths.size()) * channels;
  n_radial_ = n_hidden_weights + (l_max + 1) * n_in;
  if (l_in >= 0) add_chunks(hidden, 0, channels, 0);
  add_chunks(scalar, 1, n_in, n_hidden_weights);
  // Rows begin at cache lines.
  while (table_columns_.size() % kMaxLanes != 0) table_columns_.push_back(-1);
  layout_ = Layout{static_cast<int>(l_max),
                   static_cast<int>((l_max + 1) * (l_max + 1)),
                   hidden.harmonic_terms.data(),
                   static_cast<int>(hidden.harmonic_terms.size()),
                   {part_of(hidden, channels, chunks_[0], 0, 0, hidden_start_),
                    part_of(scalar, n_in, chunks_[1], n_hidden, n_hidden_weights, scalar_start_)},
                   width,
                   block_columns_.data()};
}

void ConvolutionShape::add_chunks(const PathTable& table, int part, int64_t channels,
                                  int64_t radial_start) {
  // Where features use 8 lanes, scalars do so too: the harmonics are already packed for 8 lanes.
  const bool wide = part == 1 && !chunks_[0].empty() && chunks_[0].back().lanes == 8;
  int64_t channel = 0;
  while (channel < channels) {
    const int64_t rest = channels - channel;
    const int lanes = rest >= 16 ? 16 : (rest > 4 || wide ? 8 : 4);
    const int valid = static_cast<int>(std::min<int64_t>(rest, lanes));
    chunks_[part].push_back({channel, valid, lanes, table_width()});
    for (const Path& path : table.paths) {
      for (int lane = 0; lane < lanes; ++lane) {
        const int64_t column = radial_start + path.index * channels + channel + lane;
        table_columns_.push_back(lane < valid ? column : -1);
      }
    }
    channel += valid;
  }
}

int64_t ConvolutionShape::n_columns() const {
  return std::accumulate(block_columns_.begin(), block_columns_.end(), int64_t{0});
}

int64_t ConvolutionShape::scratch(bool backward) const {
  const int64_t harmonics = std::max(layout_.n_harmonics, 4);
  int64_t features = 0, paths = 0;
  for (const Part& part : layout_.parts) {
    features = std::max<int64_t>(features, (part.l_in + 1) * (part.l_in + 1) + 1);
    paths = std::max<int64_t>(paths, part.n_paths);
  }
  const int64_t slots = kBlockEdges * kMaxLanes;
  const int64_t row = layout_.result_width + kMaxLanes;
  return (1 + harmonics + kMaxCouplings) * kBlockEdges + harmonics * slots + row +
         (backward ? 2 : 1) * (features + paths) * slots;
}

}  // namespace glassml
