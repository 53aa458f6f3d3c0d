// The values of edges as LAMMPS' local array. No LAMMPS, no torch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "edges.h"

namespace glassml {

/// A row for each edge between atoms of the group: ID of the receiver, ID of the sender, values.
class EdgeArray {
 public:
  /// @param ids [rows of the node state] ID of each particle, 0 for those outside the group
  /// @param values [E, n_values] in the order of the edges
  void fill(const Edges& edges, std::span<const std::int64_t> ids, std::span<const double> values);

  void clear();

  int n_rows() const { return static_cast<int>(rows_.size()); }

  /// @returns [n_rows] pointers to rows of 2 + n_values numbers
  double** rows() { return rows_.data(); }

  double memory_usage() const;  ///< bytes

 private:
  std::vector<double> numbers_;
  std::vector<double*> rows_;
};

}  // namespace glassml
