// The choice of kernels for the processor at hand.
#pragma once

#include <string>
#include <vector>

#include "kernels.h"

namespace glassml {

// The levels that were compiled and that this processor has, best first: of "avx512", "avx512vl"
// (the same instructions, mostly on half registers), "avx2" and "baseline".
std::vector<std::string> simd_levels();

// The level in use: the best, or what the environment variable GLASSML_SIMD asked for when it was
// first needed.
std::string simd_level();

const Kernels& kernels();

}  // namespace glassml
