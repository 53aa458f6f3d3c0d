// How operators are registered with PyTorch's dispatcher.
#pragma once

#include <torch/library.h>

#include <string>

namespace glassml {

// Defines an operator; devices without kernels of their own use plain ATen operations.
template <typename Generic, typename Cpu, typename Autograd>
void define(torch::Library& library, const std::string& name, const std::string& schema,
            Generic generic, Cpu cpu, Autograd autograd_cpu) {
  library.def((name + schema).c_str());
  library.impl(name.c_str(), torch::dispatch(c10::DispatchKey::CompositeImplicitAutograd, generic));
  library.impl(name.c_str(), torch::dispatch(c10::DispatchKey::CPU, cpu));
  library.impl(name.c_str(), torch::dispatch(c10::DispatchKey::AutogradCPU, autograd_cpu));
  // Under a name of its own too, so that tests can call it on a CPU.
  library.def((name + "_aten" + schema).c_str(), generic);
}

// Defines edge_update and edge_update_.
void define_edge_update(torch::Library& library);

// Define shell_sums and weighted_sums.
void define_shell_sums(torch::Library& library);
void define_weighted_sums(torch::Library& library);

}  // namespace glassml
