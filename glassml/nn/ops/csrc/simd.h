// Chooses the kernels for this processor.
#pragma once

#include <string>
#include <vector>

#include "edge_kernels.h"
#include "kernels.h"
#include "shell_kernels.h"
#include "sum_kernels.h"

namespace glassml {

// The levels that were compiled and that this processor supports, best first, among "avx512",
// "avx512vl" (the same instructions, mostly on half registers), "avx2" and "baseline".
std::vector<std::string> simd_levels();

// The level in use: the best, or the one named by the environment variable GLASSML_SIMD at the
// first use.
std::string simd_level();

const Kernels& kernels();
const EdgeKernels& edge_kernels();
const ShellKernels& shell_kernels();
const SumKernels& sum_kernels();

}  // namespace glassml
