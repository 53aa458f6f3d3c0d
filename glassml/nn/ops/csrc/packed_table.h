// Tables of radial weights as the kernels read them.
#pragma once

#include <ATen/core/Tensor.h>

#include "convolution.h"
#include "paths.h"

namespace glassml {

// The table as the kernels read it: rows that begin at cache lines, weights in the order of use.
// Made anew for each call: that brings it into the cache, which reading it here and there would
// not. Undefined where there is no table.
at::Tensor packed_table(const Arguments& arguments, const ConvolutionShape& shape);

// Its transpose, for gradients.
at::Tensor unpacked_table(const at::Tensor& packed, const ConvolutionShape& shape);

}  // namespace glassml
