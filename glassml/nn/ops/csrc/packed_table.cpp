#include "packed_table.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace glassml {
namespace {

// Grain size: fewer knots than this are copied by one thread.
constexpr int64_t kKnotsOfTask = 128;

// Columns that are contiguous in the table and in the packed table, or (source -1) unused columns
// of the packed table.
struct Run {
  int64_t source;
  int64_t target;
  int64_t length;
};

std::vector<Run> runs_of(const std::vector<int64_t>& columns) {
  std::vector<Run> runs;
  for (int64_t k = 0; k < static_cast<int64_t>(columns.size()); ++k) {
    const bool unused = columns[k] < 0;
    const Run last = runs.empty() ? Run{-2, 0, 0} : runs.back();
    const bool continued =
        unused ? last.source == -1 : last.source >= 0 && last.source + last.length == columns[k];
    if (continued)
      ++runs.back().length;
    else
      runs.push_back({unused ? -1 : columns[k], k, 1});
  }
  return runs;
}

}  // namespace

at::Tensor packed_table(const Arguments& a, const ConvolutionShape& shape) {
  if (!a.has_table()) return at::Tensor();
  const int64_t width = shape.table_width(), stride = a.table.stride(0);
  at::Tensor packed = at::empty({a.table.size(0), width}, a.table.options());
  const std::vector<Run> runs = runs_of(shape.table_columns());
  AT_DISPATCH_FLOATING_TYPES(a.table.scalar_type(), "pack_table", [&] {
    const scalar_t* source = a.table.const_data_ptr<scalar_t>();
    scalar_t* target = packed.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, a.table.size(0), kKnotsOfTask, [&](int64_t begin, int64_t end) {
      for (int64_t knot = begin; knot < end; ++knot) {
        for (const Run& run : runs) {
          scalar_t* begin_of_run = target + knot * width + run.target;
          if (run.source < 0)
            std::fill_n(begin_of_run, run.length, scalar_t{0});
          else
            std::copy_n(source + knot * stride + run.source, run.length, begin_of_run);
        }
      }
    });
  });
  return packed;
}

at::Tensor unpacked_table(const at::Tensor& packed, const ConvolutionShape& shape) {
  if (!packed.defined()) return packed;
  at::Tensor table = at::empty({packed.size(0), shape.n_radial()}, packed.options());
  const std::vector<Run> runs = runs_of(shape.table_columns());
  AT_DISPATCH_FLOATING_TYPES(packed.scalar_type(), "unpack_table", [&] {
    const scalar_t* source = packed.const_data_ptr<scalar_t>();
    scalar_t* target = table.mutable_data_ptr<scalar_t>();
    for (int64_t knot = 0; knot < packed.size(0); ++knot) {
      for (const Run& run : runs) {
        if (run.source >= 0) std::copy_n(source + run.target, run.length, target + run.source);
      }
      source += packed.stride(0);
      target += table.stride(0);
    }
  });
  return table;
}

}  // namespace glassml
