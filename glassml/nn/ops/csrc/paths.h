// The paths of a convolution and where their columns lie (the C++ twin of paths.py).
#pragma once

#include <cstdint>
#include <vector>

#include "kernels.h"

namespace glassml {

// The paths for degrees (l_in, l_max) with their coefficients. Independent of channels and dtype.
struct PathTable {
  int l_in;
  int l_max;
  std::vector<PathGroup> groups;  // by (l_I, l_F)
  std::vector<Path> paths;        // in the order of the groups
  std::vector<Coefficient> coefficients;
  std::vector<int64_t> paths_per_degree;  // [l_max + 1], by l_O
};

// Computed at the first call for these degrees, then kept for the life of the process.
const PathTable& path_table(int l_in, int l_max);

// Sizes of one call; owns the arrays that Layout points to.
class ConvolutionShape {
 public:
  ConvolutionShape(const PathTable& table, int64_t channels, int64_t n_in);
  ConvolutionShape(const ConvolutionShape&) = delete;
  ConvolutionShape& operator=(const ConvolutionShape&) = delete;

  const Layout& layout() const { return layout_; }
  int64_t n_radial() const { return layout_.n_path_weights + (layout_.l_max + 1) * layout_.n_in; }

 private:
  std::vector<int64_t> block_start_;
  std::vector<int64_t> block_columns_;
  Layout layout_;
};

}  // namespace glassml
