// The convolution with the vectorised kernels, parallel over receivers.

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>
#include <vector>

#include "convolution.h"
#include "packed_table.h"
#include "paths.h"
#include "receivers.h"
#include "simd.h"

namespace glassml {
namespace {

int64_t rounded_up(int64_t columns, int64_t multiple) {
  return (columns + multiple - 1) / multiple * multiple;
}

constexpr int64_t kLineBytes = 64;  // size of a cache line

// Number of columns with which every row begins at a cache line: then no vector of features crosses
// a line.
int64_t aligned_width(const at::Tensor& matrix) {
  return rounded_up(matrix.size(1), kLineBytes / static_cast<int64_t>(matrix.element_size()));
}

at::Tensor with_aligned_rows(const at::Tensor& matrix) {
  const int64_t row_bytes = matrix.stride(0) * static_cast<int64_t>(matrix.element_size());
  const bool aligned = matrix.stride(1) == 1 && row_bytes % kLineBytes == 0 &&
                       reinterpret_cast<std::uintptr_t>(matrix.const_data_ptr()) % kLineBytes == 0;
  if (aligned || matrix.numel() == 0) return matrix;
  const at::Tensor rows = at::empty({matrix.size(0), aligned_width(matrix)}, matrix.options());
  return rows.narrow(1, 0, matrix.size(1)).copy_(matrix);
}

Arguments prepare(const Arguments& a) {
  Arguments prepared = a;
  prepared.state = with_aligned_rows(a.state);
  prepared.edge_vector = a.edge_vector.contiguous();
  if (a.has_table()) {
    prepared.knots = a.knots.contiguous();
    prepared.table = with_dense_rows(a.table);
  } else {
    prepared.radial = with_dense_rows(a.radial);
  }
  prepared.sender = a.sender.contiguous();
  prepared.first_edge = a.first_edge.contiguous();
  return prepared;
}

// A quick search for the interval of a distance: for each cell of an even grid, the interval in
// which the cell begins. With more cells than knots, most cells lie within one interval, so the
// processor can predict the branches of the search.
template <typename T>
class Search {
 public:
  explicit Search(const at::Tensor& knots) : knots_(knots.const_data_ptr<T>()) {
    const int64_t n_knots = knots.size(0);
    TORCH_CHECK(std::is_sorted(knots_, knots_ + n_knots),
                "tabulated_convolution: knots: expected sorted distances; found a decrease");
    for (int64_t k = 0; k + 1 < n_knots; ++k) {
      const T width = knots_[k + 1] - knots_[k];
      inverse_.push_back(width > 0 ? 1 / width : T{0});
      ends_.push_back(k + 2 < n_knots ? knots_[k + 1] : std::numeric_limits<T>::quiet_NaN());
    }
    const int64_t n_cells = kCellsPerKnot * n_knots;
    const T length = knots_[n_knots - 1] - knots_[0];
    cells_per_length_ = length > 0 ? static_cast<T>(n_cells) / length : T{0};
    int32_t interval = 0;
    for (int64_t cell = 0; cell < n_cells; ++cell) {
      // Slightly below the cell, as a distance there may be rounded into it.
      const T begin = (static_cast<T>(cell) - kRounding) / static_cast<T>(n_cells) * length;
      while (ends_[interval] <= knots_[0] + begin) ++interval;
      first_interval_.push_back(interval);
    }
  }

  RadialTable<T> table(const Arguments& a, const at::Tensor& packed) const {
    return RadialTable<T>{knots_,
                          inverse_.data(),
                          ends_.data(),
                          packed.const_data_ptr<T>(),
                          packed.stride(0),
                          first_interval_.data(),
                          static_cast<int64_t>(first_interval_.size()),
                          cells_per_length_,
                          a.rectify};
  }

 private:
  static constexpr int64_t kCellsPerKnot = 4;
  static constexpr T kRounding = static_cast<T>(0.01);  // fraction of a cell; a generous bound

  const T* knots_;
  T cells_per_length_;
  std::vector<T> inverse_;
  std::vector<T> ends_;
  std::vector<int32_t> first_interval_;
};

// The linear maps of the columns in the layout that the kernels read (see Mixing), padded by zeros.
struct PackedMixing {
  at::Tensor rows;
  at::Tensor transposed;
  int64_t n_columns = 0;

  template <typename T>
  Mixing<T> view() const {
    if (n_columns == 0) return Mixing<T>{};
    return Mixing<T>{rows.const_data_ptr<T>(), transposed.const_data_ptr<T>(), n_columns,
                     rows.size(1)};
  }
};

PackedMixing packed_mixing(const Arguments& a, const ConvolutionShape& shape) {
  if (!a.has_mixing()) return PackedMixing{};
  const int64_t n_columns = a.mixing.size(1);
  PackedMixing packed{
      at::constant_pad_nd(a.mixing, {0, rounded_up(n_columns, kMixingLanes) - n_columns})
          .contiguous(),
      {},
      n_columns};
  std::vector<at::Tensor> transposed;
  int64_t row = 0;
  for (int64_t n_rows : shape.block_columns()) {
    const at::Tensor map = a.mixing.narrow(0, row, n_rows).t();
    transposed.push_back(
        at::constant_pad_nd(map, {0, rounded_up(n_rows, kMixingLanes) - n_rows}).flatten());
    row += n_rows;
  }
  packed.transposed = at::cat(transposed);
  return packed;
}

template <typename T>
Inputs<T> inputs_of(const Arguments& a, const std::optional<Search<T>>& search,
                    const at::Tensor& packed, const PackedMixing& mixing) {
  return Inputs<T>{a.state.const_data_ptr<T>(),
                   a.state.stride(0),
                   a.edge_vector.const_data_ptr<T>(),
                   a.has_table() ? nullptr : a.radial.const_data_ptr<T>(),
                   a.has_table() ? 0 : a.radial.stride(0),
                   a.sender.const_data_ptr<int64_t>(),
                   a.first_edge.const_data_ptr<int64_t>(),
                   search ? search->table(a, packed) : RadialTable<T>{},
                   mixing.view<T>()};
}

template <typename T>
std::optional<Search<T>> search_of(const Arguments& a) {
  if (!a.has_table()) return std::nullopt;
  return Search<T>(a.knots);
}

template <typename T>
Forward<T> forward_kernel() {
  if constexpr (std::is_same_v<T, float>)
    return kernels().forward_float;
  else
    return kernels().forward_double;
}

template <typename T>
Backward<T> backward_kernel() {
  if constexpr (std::is_same_v<T, float>)
    return kernels().backward_float;
  else
    return kernels().backward_double;
}

}  // namespace

bool has_kernel(const Arguments& a) { return a.l_in <= kMaxDegree && a.l_max <= kMaxDegree; }

std::tuple<at::Tensor, at::Tensor> convolution_forward(const Arguments& given, bool keeps_product) {
  check(given);
  const Arguments a = prepare(given);
  check_graph(a.name(), a.sender, a.first_edge, a.state.size(0), "state");
  const ConvolutionShape shape(a.l_in, a.l_max, a.channels, a.n_in());
  const std::vector<int64_t> bounds = balanced_ranges(a.first_edge);
  const int64_t n_ranges = static_cast<int64_t>(bounds.size()) - 1;
  const int64_t n_scratch = shape.scratch(false);
  at::Tensor product, mixed;
  if (keeps_product || !a.has_mixing()) {
    product = at::empty({a.n_local(), shape.result_width()}, a.state.options());
  }
  if (a.has_mixing()) {
    const int64_t n_mixed = shape.layout().n_harmonics * a.mixing.size(1);
    mixed = at::empty({a.n_local(), n_mixed}, a.state.options());
  }
  const at::Tensor packed = packed_table(a, shape);
  const PackedMixing mixing = packed_mixing(a, shape);
  at::Tensor scratch = at::empty({n_ranges, n_scratch}, a.state.options());
  AT_DISPATCH_FLOATING_TYPES(a.state.scalar_type(), "equivariant_convolution", [&] {
    const auto search = search_of<scalar_t>(a);
    const Inputs<scalar_t> inputs = inputs_of<scalar_t>(a, search, packed, mixing);
    const Forward<scalar_t> kernel = forward_kernel<scalar_t>();
    scalar_t* buffer = scratch.mutable_data_ptr<scalar_t>();
    for_receivers(bounds, [&](int64_t range, int64_t begin, int64_t end) {
      kernel(shape.layout(), inputs, begin, end, data_of<scalar_t>(product),
             data_of<scalar_t>(mixed), buffer + range * n_scratch);
    });
  });
  return {a.has_mixing() ? mixed : product, keeps_product ? product : at::Tensor()};
}

ConvolutionGradients convolution_backward(const Arguments& given, const at::Tensor& result_gradient,
                                          const at::Tensor& product, bool wants_state,
                                          bool wants_weights, bool wants_mixing) {
  const Arguments a = prepare(given);
  const ConvolutionShape shape(a.l_in, a.l_max, a.channels, a.n_in());
  const at::Tensor incoming = result_gradient.contiguous();
  const std::vector<int64_t> bounds = balanced_ranges(a.first_edge);
  const int64_t n_ranges = static_cast<int64_t>(bounds.size()) - 1;
  const int64_t n_scratch = shape.scratch(true);
  const at::Tensor packed = packed_table(a, shape);
  const PackedMixing mixing = packed_mixing(a, shape);
  at::Tensor scratch = at::empty({n_ranges, n_scratch}, a.state.options());
  // Receivers of different threads share senders, knots and maps: each thread adds to its own copy.
  at::Tensor state_parts, table_parts, mixing_parts, radial;
  const int64_t state_width = aligned_width(a.state);
  if (wants_state) {
    state_parts = at::zeros({n_ranges, a.state.size(0), state_width}, a.state.options());
  }
  if (wants_weights && a.has_table()) table_parts = parts_like(packed, n_ranges);
  if (wants_weights && !a.has_table()) radial = at::empty(a.radial.sizes(), a.radial.options());
  if (wants_mixing) mixing_parts = parts_like(mixing.rows, n_ranges);
  AT_DISPATCH_FLOATING_TYPES(a.state.scalar_type(), "equivariant_convolution_backward", [&] {
    const auto search = search_of<scalar_t>(a);
    const Inputs<scalar_t> inputs = inputs_of<scalar_t>(a, search, packed, mixing);
    const Backward<scalar_t> kernel = backward_kernel<scalar_t>();
    scalar_t* buffer = scratch.mutable_data_ptr<scalar_t>();
    for_receivers(bounds, [&](int64_t range, int64_t begin, int64_t end) {
      const Gradients<scalar_t> gradients{
          incoming.const_data_ptr<scalar_t>(),
          part_of<scalar_t>(state_parts, range),
          data_of<scalar_t>(radial),
          part_of<scalar_t>(table_parts, range),
          part_of<scalar_t>(mixing_parts, range),
          product.defined() ? product.const_data_ptr<scalar_t>() : nullptr,
          state_width,
          shape.n_radial()};
      kernel(shape.layout(), inputs, begin, end, gradients, buffer + range * n_scratch);
    });
  });
  at::Tensor mixing_gradient = sum_of(mixing_parts);
  if (wants_mixing) mixing_gradient = mixing_gradient.narrow(1, 0, mixing.n_columns);
  at::Tensor state_gradient = sum_of(state_parts);
  if (wants_state) state_gradient = state_gradient.narrow(1, 0, a.state.size(1));
  return {state_gradient, a.has_table() ? unpacked_table(sum_of(table_parts), shape) : radial,
          mixing_gradient};
}

}  // namespace glassml
