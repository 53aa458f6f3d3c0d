// The paths of a convolution and their columns (the C++ counterpart of paths.py).
#pragma once

#include <cstdint>
#include <vector>

#include "kernels.h"

namespace glassml {

// The paths for degrees (l_in, l_max) with their coefficients. Independent of channels and dtype.
struct PathTable {
  int l_in;
  int l_max;
  std::vector<HarmonicTerm> harmonic_terms;
  std::vector<PathGroup> groups;  // by (l_I, l_F)
  std::vector<Path> paths;        // in the order of the groups
  std::vector<Coefficient> coefficients;
  std::vector<int64_t> paths_per_degree;  // [l_max + 1], by l_O
};

// Computed in the first call for these degrees and kept until the process ends.
const PathTable& path_table(int l_in, int l_max);

// The sizes of one call; owns the arrays that Layout points to.
class ConvolutionShape {
 public:
  ConvolutionShape(int64_t l_in, int64_t l_max, int64_t channels, int64_t n_in);
  ConvolutionShape(const ConvolutionShape&) = delete;
  ConvolutionShape& operator=(const ConvolutionShape&) = delete;

  const Layout& layout() const { return layout_; }
  int64_t n_paths() const { return layout_.parts[0].n_paths; }
  int64_t n_radial() const { return n_radial_; }
  int64_t result_width() const { return layout_.result_width; }

  // Columns of a row of the packed table (see RadialTable), and for each of them the column of the
  // table that it holds, or -1 for an unused lane.
  int64_t table_width() const { return static_cast<int64_t>(table_columns_.size()); }
  const std::vector<int64_t>& table_columns() const { return table_columns_; }

  // Number of columns K_l of each degree before mixing, and their sum.
  const std::vector<int64_t>& block_columns() const { return block_columns_; }
  int64_t n_columns() const;

  // Number of elements of scratch memory that a kernel needs.
  int64_t scratch(bool backward) const;

 private:
  void add_chunks(const PathTable& table, int part, int64_t channels, int64_t radial_start);

  std::vector<int64_t> hidden_start_;  // [l_max + 1] first column of the block of l_O
  std::vector<int64_t> scalar_start_;  // [l_max + 1] first column of the scalars in that block
  std::vector<int64_t> block_columns_;
  std::vector<Chunk> chunks_[2];  // of each part
  std::vector<int64_t> table_columns_;
  int64_t n_radial_;
  Layout layout_;
};

}  // namespace glassml
