#include "paths.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "clebsch_gordan.h"

namespace glassml {
namespace {

// What is left of a coefficient that vanishes is rounding noise far below this; the others are
// above 1e-2 for all degrees in use.
constexpr double kZero = 1e-10;

// All paths in the order of the radial columns: l_O outermost, then l_I, then l_F.
std::vector<std::pair<PathGroup, Path>> paths_in_order(int l_in, int l_max) {
  std::vector<std::pair<PathGroup, Path>> paths;
  for (int l_O = 0; l_O <= l_max; ++l_O) {
    int position = 0;
    for (int l_I = 0; l_I <= l_in; ++l_I) {
      for (int l_F = 0; l_F <= l_max; ++l_F) {
        if (std::abs(l_I - l_F) > l_O || l_O > l_I + l_F) continue;
        const int index = static_cast<int>(paths.size());
        paths.push_back({PathGroup{l_I, l_F, 0, 0}, Path{l_O, index, position++, 0, 0}});
      }
    }
  }
  return paths;
}

void append_coefficients(PathTable& table, Path& path, int l_I, int l_F) {
  const std::vector<double> dense = clebsch_gordan(l_I, l_F, path.l_O);
  const int n_O = 2 * path.l_O + 1;
  path.first_coefficient = static_cast<int>(table.coefficients.size());
  for (std::size_t k = 0; k < dense.size(); ++k) {
    if (std::abs(dense[k]) < kZero) continue;
    const int entry = static_cast<int>(k);
    table.coefficients.push_back({entry / n_O, entry % n_O, dense[k]});
  }
  path.last_coefficient = static_cast<int>(table.coefficients.size());
}

PathTable make_table(int l_in, int l_max) {
  PathTable table{l_in, l_max, {}, {}, {}, std::vector<int64_t>(l_max + 1, 0)};
  const auto ordered = paths_in_order(l_in, l_max);
  for (const auto& [group, path] : ordered) ++table.paths_per_degree[path.l_O];
  for (int l_I = 0; l_I <= l_in; ++l_I) {
    for (int l_F = 0; l_F <= l_max; ++l_F) {
      const int first = static_cast<int>(table.paths.size());
      for (const auto& [group, path] : ordered) {
        if (group.l_I != l_I || group.l_F != l_F) continue;
        table.paths.push_back(path);
        append_coefficients(table, table.paths.back(), l_I, l_F);
      }
      const int n_paths = static_cast<int>(table.paths.size()) - first;
      if (n_paths > 0) table.groups.push_back({l_I, l_F, first, n_paths});
    }
  }
  return table;
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

ConvolutionShape::ConvolutionShape(const PathTable& table, int64_t channels, int64_t n_in) {
  int64_t width = 0;
  for (int l_O = 0; l_O <= table.l_max; ++l_O) {
    block_start_.push_back(width);
    block_columns_.push_back(table.paths_per_degree[l_O] * channels + n_in);
    width += (2 * l_O + 1) * block_columns_.back();
  }
  layout_ = Layout{table.l_in,
                   table.l_max,
                   channels,
                   n_in,
                   int64_t{table.l_in + 1} * (table.l_in + 1) * channels,
                   static_cast<int64_t>(table.paths.size()) * channels,
                   width,
                   table.groups.data(),
                   static_cast<int>(table.groups.size()),
                   table.paths.data(),
                   table.coefficients.data(),
                   block_start_.data(),
                   block_columns_.data()};
}

}  // namespace glassml
