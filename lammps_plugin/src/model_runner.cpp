#include "model_runner.h"

#include <ATen/Parallel.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/cuda.h>
#include <torch/script.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "model_archive.h"
#include "torch_errors.h"

namespace glassml {

namespace {

using torch::Tensor;

constexpr std::int64_t kLineBytes = 64;  // size of a cache line

/// An error whose message is already readable.
class Problem : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Runs calls into torch. Any exception becomes a std::runtime_error with a readable message.
template <typename Call>
auto guarded(const std::string& what, Call&& call) {
  try {
    return call();
  } catch (const Problem&) {
    throw;
  } catch (const std::exception& error) {
    throw Problem(what + ": " + reason(error));
  }
}

/// Sets torch's number of threads and restores it: LAMMPS (or a Python process around it) may share
/// the OpenMP runtime with torch and rely on its own number.
class ThreadGuard {
 public:
  explicit ThreadGuard(int threads) : before_(at::get_num_threads()) {
    if (threads != before_) at::set_num_threads(threads);
  }
  ~ThreadGuard() {
    if (at::get_num_threads() != before_) at::set_num_threads(before_);
  }
  ThreadGuard(const ThreadGuard&) = delete;
  ThreadGuard& operator=(const ThreadGuard&) = delete;

 private:
  int before_;
};

/// What every evaluation needs: no gradients, the chosen number of threads, and no optimisation
/// passes, which would specialise the code for each number of edges and keep every version in
/// memory.
struct EvaluationGuard {
  explicit EvaluationGuard(int threads) : threads_(threads) {}
  c10::InferenceMode inference_;
  torch::jit::GraphOptimizerEnabledGuard plain_{false};
  ThreadGuard threads_;
};

/// Checks all that the file holds before anything of it is loaded.
void check_archive(const ModelArchive& archive, const std::string& file, bool trust) {
  guarded(file + ": cannot be read", [&] {
    try {
      archive.check(trust);
    } catch (const std::runtime_error& problem) {  // ours, not torch's
      throw Problem(problem.what());
    }
  });
}

torch::jit::Module load_module(const ModelArchive& archive, const std::string& file,
                               const std::string& device) {
  return guarded(file + ": cannot be loaded on device " + device, [&] {
    const ThreadGuard one_thread(1);
    auto bytes = archive.stream();
    auto module = torch::jit::load(bytes, torch::Device(device));
    module.eval();
    return module;
  });
}

void check_methods(const torch::jit::Module& module, const Manifest& manifest,
                   const std::string& file) {
  std::vector<std::string> methods = {"embed", "embed_edges"};
  methods.push_back(manifest.edge_width > 0 ? "advance" : "step");
  const auto& sums = manifest.summed_widths;
  if (std::any_of(sums.begin(), sums.end(), [](std::int64_t width) { return width > 0; }))
    methods.insert(methods.end(), {"summands", "settle"});
  for (const OutputEntry& output : manifest.outputs) methods.push_back(output.name);
  for (const OutputEntry& output : manifest.edge_outputs) methods.push_back(output.name);
  for (const std::string& method : methods)
    if (!module.find_method(method).has_value())
      throw Problem(file + ": expected a method '" + method +
                    "'; found none: the file is damaged or was not written by 'glassml export'");
}

/// A tensor with a copy of these numbers.
template <typename Number>
Tensor copied(std::span<const Number> values, at::IntArrayRef shape, torch::ScalarType type) {
  auto* data = const_cast<Number*>(values.data());
  Tensor view = torch::from_blob(data, shape, torch::CppTypeToScalarType<Number>::value);
  return view.to(type, /*non_blocking=*/false, /*copy=*/true);
}

std::string shape_of(const Tensor& tensor) {
  std::string result = "[";
  for (const std::int64_t size : tensor.sizes())
    result += (result.size() > 1 ? ", " : "") + std::to_string(size);
  return result + "]";
}

/// Number of columns, rounded up so that every row begins at a cache line: the convolution reads
/// such rows fastest.
std::int64_t aligned(std::int64_t columns, torch::ScalarType type) {
  const auto in_line = kLineBytes / static_cast<std::int64_t>(torch::elementSize(type));
  return (columns + in_line - 1) / in_line * in_line;
}

void check_shape(const Tensor& tensor, std::int64_t rows, std::int64_t columns,
                 const std::string& what) {
  if (tensor.dim() == 2 && tensor.size(0) == rows && tensor.size(1) == columns) return;
  throw std::runtime_error(what + ": expected the shape [" + std::to_string(rows) + ", " +
                           std::to_string(columns) + "], as the manifest says; found " +
                           shape_of(tensor));
}

}  // namespace

std::string resolve_device(const std::string& wanted, int local_rank) {
  const int devices = guarded("looking for CUDA devices", [] {
    return torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
  });
  if (wanted == "cpu" || (wanted == "auto" && devices == 0)) return "cpu";
  const bool numbered = wanted.rfind("cuda:", 0) == 0;
  if (wanted != "auto" && wanted != "cuda" && !numbered)
    throw std::runtime_error("device: expected cpu, cuda, cuda:N or auto; found '" + wanted + "'");
  if (devices == 0)
    throw std::runtime_error("device '" + wanted +
                             "': expected a CUDA device that torch can use; found none");
  if (!numbered) return "cuda:" + std::to_string(local_rank % devices);
  const std::string number = wanted.substr(5);
  const bool digits =
      !number.empty() && number.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || number.size() > 4 || std::stoi(number) >= devices)
    throw std::runtime_error("device '" + wanted +
                             "': expected cuda:0 to cuda:" + std::to_string(devices - 1) +
                             "; found " + std::to_string(devices) + " CUDA device(s)");
  return wanted;
}

struct ModelRunner::State {
  Manifest manifest;
  std::string device_name;
  std::int64_t fingerprint = 0;
  torch::Device device{torch::kCPU};
  torch::ScalarType type = torch::kFloat32;
  torch::jit::Module module;
  int threads = 1;

  std::int64_t n_local = 0;
  Tensor local;                      // [n_local, W_k] on the device
  Tensor all;                        // [n_all, W_k] on the host, for the exchange; rows are padded
  std::size_t sent_bytes = 0;        // of a row of `all`
  Tensor room;                       // memory of `all`, kept because new pages are expensive
  Tensor edges, sender, first_edge;  // on the device

  /// Runs a part of an evaluation.
  template <typename Call>
  auto run(Call&& call) {
    return guarded("model '" + manifest.model + "'", [&] {
      const EvaluationGuard guard(threads);
      return call();
    });
  }

  /// Calls a method of the model with arguments() and checks the shape of its result. Without rows
  /// the model is not called: a domain may have no particles.
  template <typename Arguments>
  Tensor call(const std::string& method, Arguments&& arguments, std::int64_t columns,
              std::int64_t rows) {
    if (rows == 0) return torch::zeros({0, columns}, torch::dtype(type).device(device));
    return guarded("model '" + manifest.model + "', method " + method, [&] {
      Tensor result = module.get_method(method)(arguments()).toTensor();
      check_shape(result, rows, columns, "result");
      return result;
    });
  }

  /// The same with one row per local particle.
  template <typename Arguments>
  Tensor call(const std::string& method, Arguments&& arguments, std::int64_t columns) {
    return call(method, arguments, columns, n_local);
  }

  /// A step that also renews the edges.
  template <typename Arguments>
  void advance(Arguments&& arguments, std::int64_t columns) {
    local = torch::zeros({0, columns}, torch::dtype(type).device(device));
    if (n_local == 0) return;
    guarded("model '" + manifest.model + "', method advance", [&] {
      const auto result = module.get_method("advance")(arguments());
      const auto parts = result.toTuple();
      if (parts->elements().size() != 2)
        throw std::runtime_error("expected a state and edges; found another result");
      local = parts->elements()[0].toTensor();
      edges = parts->elements()[1].toTensor();
      check_shape(local, n_local, columns, "state");
      check_shape(edges, sender.size(0), manifest.edge_width, "edges");
    });
  }

  /// The tensors side by side, as numbers in double precision.
  static std::vector<double> numbers(const std::vector<Tensor>& parts) {
    const Tensor values = torch::cat(parts, 1).to(torch::kCPU, torch::kFloat64).contiguous();
    const double* data = values.data_ptr<double>();
    return std::vector<double>(data, data + values.numel());
  }

  /// Calls copy(pointer into `all`, offset in the buffer [bytes], length [bytes]) for what is sent
  /// of some rows.
  template <typename Copy>
  void for_rows(std::span<const int> rows, Copy&& copy) const {
    auto* first = static_cast<char*>(all.data_ptr());
    const std::size_t stride = all.stride(0) * all.element_size();
    std::size_t offset = 0;
    for (const int row : rows) {
      copy(first + row * stride, offset, sent_bytes);
      offset += sent_bytes;
    }
  }
};

ModelRunner::ModelRunner(const std::string& file, const std::string& device, bool trust)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  const ModelArchive archive(file);
  s.fingerprint = archive.fingerprint();
  s.manifest = parse_manifest(archive.manifest_text(), file);
  s.device_name = device;
  s.type = s.manifest.dtype == "float64" ? torch::kFloat64 : torch::kFloat32;
  check_archive(archive, file, trust);
  s.module = load_module(archive, file, device);
  guarded(file, [&] {
    s.device = torch::Device(device);
    check_methods(s.module, s.manifest, file);
  });
}

ModelRunner::~ModelRunner() = default;

const Manifest& ModelRunner::manifest() const { return state_->manifest; }

const std::string& ModelRunner::device() const { return state_->device_name; }

std::int64_t ModelRunner::fingerprint() const { return state_->fingerprint; }

void ModelRunner::set_threads(int threads) { state_->threads = threads; }

void ModelRunner::embed(std::span<const std::int64_t> species, std::span<const double> scalars) {
  State& s = *state_;
  s.run([&] {
    s.n_local = static_cast<std::int64_t>(species.size());
    const auto n_scalars = static_cast<std::int64_t>(s.manifest.scalar_inputs.size());
    const Tensor species_tensor = copied(species, {s.n_local}, torch::kInt64).to(s.device);
    const Tensor scalar_tensor = copied(scalars, {s.n_local, n_scalars}, s.type).to(s.device);
    const auto arguments = [&]() -> std::vector<c10::IValue> {
      return {species_tensor, scalar_tensor};
    };
    s.local = s.call("embed", arguments, s.manifest.state_widths.front());
  });
}

void ModelRunner::embed_edges(const Edges& edges) {
  State& s = *state_;
  if (s.n_local == 0) return;
  s.run([&] {
    const auto n_edges = static_cast<std::int64_t>(edges.size());
    const std::span<const std::int64_t> sender(edges.sender), first(edges.first_edge);
    const std::span<const double> vector(edges.vector);
    s.sender = copied(sender, {n_edges}, torch::kInt64).to(s.device);
    s.first_edge = copied(first, {s.n_local + 1}, torch::kInt64).to(s.device);
    const Tensor vectors = copied(vector, {n_edges, 3}, s.type).to(s.device);
    s.edges = guarded("model '" + s.manifest.model + "', method embed_edges",
                      [&] { return s.module.get_method("embed_edges")({vectors}).toTensor(); });
  });
}

std::size_t ModelRunner::n_sums(int k) const { return state_->manifest.summed_widths.at(k); }

std::vector<double> ModelRunner::sums(int k) {
  State& s = *state_;
  return s.run([&] {
    const std::int64_t columns = s.manifest.summed_widths.at(k);
    const auto arguments = [&]() -> std::vector<c10::IValue> { return {k, s.local}; };
    const Tensor summands = s.call("summands", arguments, columns);
    return State::numbers({summands.to(torch::kFloat64).sum(0, /*keepdim=*/true)});
  });
}

void ModelRunner::settle(int k, std::span<const double> sums) {
  State& s = *state_;
  s.run([&] {
    const auto columns = static_cast<std::int64_t>(sums.size());
    const Tensor all = copied(sums, {columns}, torch::kFloat64).to(s.device);
    const auto arguments = [&]() -> std::vector<c10::IValue> { return {k, s.local, all}; };
    s.local = s.call("settle", arguments, s.manifest.state_widths.at(k));
  });
}

void ModelRunner::open_state(int k, std::int64_t n_all) {
  State& s = *state_;
  s.run([&] {
    const std::int64_t width = s.manifest.state_widths.at(k);
    const std::int64_t stride = s.device.is_cpu() ? aligned(width, s.type) : width;
    const std::int64_t needed = n_all * stride;
    // A little more than needed, as the number of rows changes between evaluations.
    if (!s.room.defined() || s.room.numel() < needed)
      s.room = torch::zeros({needed + needed / 8}, s.type);
    s.all = s.room.narrow(0, 0, needed).view({n_all, stride}).narrow(1, 0, width);
    s.all.narrow(0, 0, s.n_local).copy_(s.local);
    s.sent_bytes = row_bytes(k);
  });
}

std::size_t ModelRunner::row_bytes(int k) const {
  return state_->manifest.sent_widths.at(k) * torch::elementSize(state_->type);
}

void ModelRunner::pack(std::span<const int> rows, void* buffer) const {
  auto* target = static_cast<char*>(buffer);
  state_->for_rows(rows, [target](const char* row, std::size_t offset, std::size_t bytes) {
    std::memcpy(target + offset, row, bytes);
  });
}

void ModelRunner::unpack(std::span<const int> rows, const void* buffer) {
  const auto* source = static_cast<const char*>(buffer);
  state_->for_rows(rows, [source](char* row, std::size_t offset, std::size_t bytes) {
    std::memcpy(row, source + offset, bytes);
  });
}

void ModelRunner::step(int k) {
  State& s = *state_;
  s.run([&] {
    const std::int64_t columns = s.manifest.state_widths.at(k + 1);
    const auto arguments = [&]() -> std::vector<c10::IValue> {
      return {k, s.all.to(s.device), s.edges, s.sender, s.first_edge};
    };
    if (s.manifest.edge_width > 0)
      s.advance(arguments, columns);
    else
      s.local = s.call("step", arguments, columns);
    // The next step overwrites these rows.
    if (s.local.is_alias_of(s.room)) s.local = s.local.clone();
  });
}

std::vector<double> ModelRunner::outputs(const std::vector<std::string>& names) {
  State& s = *state_;
  return s.run([&] {
    std::vector<Tensor> parts;
    for (const std::string& name : names) {
      const OutputEntry* entry = s.manifest.find_output(name);
      if (entry == nullptr)
        throw std::runtime_error("expected an output '" + name + "'; found none");
      const auto arguments = [&]() -> std::vector<c10::IValue> { return {s.local}; };
      parts.push_back(s.call(name, arguments, static_cast<std::int64_t>(entry->columns.size())));
    }
    return State::numbers(parts);
  });
}

std::vector<double> ModelRunner::edge_outputs() {
  State& s = *state_;
  if (s.n_local == 0) return {};
  return s.run([&] {
    std::vector<Tensor> parts;
    for (const OutputEntry& entry : s.manifest.edge_outputs) {
      const auto arguments = [&]() -> std::vector<c10::IValue> { return {s.edges}; };
      parts.push_back(s.call(entry.name, arguments, static_cast<std::int64_t>(entry.columns.size()),
                             s.sender.size(0)));
    }
    return State::numbers(parts);
  });
}

}  // namespace glassml
