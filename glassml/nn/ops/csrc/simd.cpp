#include "simd.h"

#include <c10/util/Exception.h>

#include <cstdlib>
#include <utility>

namespace glassml {
namespace {

struct Level {
  const char* name;
  const Kernels* kernels;
  const EdgeKernels* edge_kernels;
  const ShellKernels* shell_kernels;
  const SumKernels* sum_kernels;
};

std::vector<Level> usable_levels() {
  std::vector<Level> levels;
#ifdef GLASSML_HAVE_X86_LEVELS
  __builtin_cpu_init();
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                        __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512cd") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (has_avx2 && has_avx512) {
    levels.push_back({"avx512", &avx512::kernels, &avx512::edge_kernels, &avx512::shell_kernels,
                      &avx512::sum_kernels});
    levels.push_back({"avx512vl", &avx512vl::kernels, &avx512vl::edge_kernels,
                      &avx512vl::shell_kernels, &avx512vl::sum_kernels});
    // Zen 4 (of this family, Zen 3 has no AVX-512) executes whole registers as two halves.
    if (__builtin_cpu_is("amdfam19h")) std::swap(levels[0], levels[1]);
  }
  if (has_avx2)
    levels.push_back(
        {"avx2", &avx2::kernels, &avx2::edge_kernels, &avx2::shell_kernels, &avx2::sum_kernels});
#endif
  levels.push_back({"baseline", &baseline::kernels, &baseline::edge_kernels,
                    &baseline::shell_kernels, &baseline::sum_kernels});
  return levels;
}

Level choose_level() {
  const std::vector<Level> levels = usable_levels();
  const char* wanted = std::getenv("GLASSML_SIMD");
  if (wanted == nullptr || *wanted == '\0') return levels.front();
  std::string names;
  for (const Level& level : levels) {
    if (std::string(wanted) == level.name) return level;
    names += std::string(names.empty() ? "" : ", ") + level.name;
  }
  TORCH_CHECK(false, "GLASSML_SIMD: expected one of ", names, "; found ", wanted);
}

const Level& level() {
  static const Level chosen = choose_level();
  return chosen;
}

}  // namespace

std::vector<std::string> simd_levels() {
  std::vector<std::string> names;
  for (const Level& usable : usable_levels()) names.emplace_back(usable.name);
  return names;
}

std::string simd_level() { return level().name; }

const Kernels& kernels() { return *level().kernels; }

const EdgeKernels& edge_kernels() { return *level().edge_kernels; }

const ShellKernels& shell_kernels() { return *level().shell_kernels; }

const SumKernels& sum_kernels() { return *level().sum_kernels; }

}  // namespace glassml
