// Tables of radial weights in the layout that the kernels read.
#pragma once

#include <ATen/core/Tensor.h>

#include "convolution.h"
#include "paths.h"

namespace glassml {

// The table in the layout that the kernels read: rows begin at cache lines, weights are in the
// order of use. Copied in each call, which also brings it into the cache faster than scattered
// reads would. Undefined if there is no table.
at::Tensor packed_table(const Arguments& arguments, const ConvolutionShape& shape);

// The transpose of packed_table, for gradients.
at::Tensor unpacked_table(const at::Tensor& packed, const ConvolutionShape& shape);

}  // namespace glassml
