// Runs the model runner without LAMMPS, as a program that the Python tests call:
//
//   glassml_runner_driver MODEL OUTPUT... < particles
//
// Input: `n_local n_all`, then a line `x y z owner species scalar...` for each row: own particles
// first, then images with the row of their owner. Output: a line `edge receiver sender` for each
// edge, then a line `row values...` for each own particle. After an error: `error: ...`, status 1.
#include <cstdio>
#include <iostream>
#include <span>
#include <stdexcept>

#include "model_runner.h"

namespace {

struct Particles {
  std::int64_t n_local = 0, n_all = 0;
  std::vector<double> positions;      // [n_all, 3]
  std::vector<int> owner;             // [n_all]
  std::vector<std::int64_t> species;  // [n_local]
  std::vector<double> scalars;        // [n_local, S]
};

template <typename Number>
Number next() {
  Number value;
  if (!(std::cin >> value)) throw std::runtime_error("expected a number; found the end of input");
  return value;
}

Particles read_particles(std::size_t n_scalars) {
  Particles particles;
  particles.n_local = next<std::int64_t>();
  particles.n_all = next<std::int64_t>();
  for (std::int64_t row = 0; row < particles.n_all; row++) {
    for (int d = 0; d < 3; d++) particles.positions.push_back(std::stod(next<std::string>()));
    particles.owner.push_back(next<int>());
    const auto species = next<std::int64_t>();
    if (row < particles.n_local) particles.species.push_back(species);
    for (std::size_t k = 0; k < n_scalars; k++) {
      const auto scalar = next<double>();
      if (row < particles.n_local) particles.scalars.push_back(scalar);
    }
  }
  return particles;
}

/// In place of the exchange between ranks: images get the state of their owners.
void exchange(glassml::ModelRunner& runner, int step, const Particles& particles) {
  std::vector<char> buffer(runner.row_bytes(step));
  for (int row = static_cast<int>(particles.n_local); row < particles.n_all; row++) {
    runner.pack(std::span<const int>(&particles.owner[row], 1), buffer.data());
    runner.unpack(std::span<const int>(&row, 1), buffer.data());
  }
}

void print_edges(const glassml::Edges& edges) {
  for (std::size_t i = 0; i + 1 < edges.first_edge.size(); i++)
    for (auto e = edges.first_edge[i]; e < edges.first_edge[i + 1]; e++)
      std::printf("edge %zu %lld\n", i, static_cast<long long>(edges.sender[e]));
}

void print_rows(const std::vector<double>& values, std::int64_t n_rows) {
  const std::int64_t columns = n_rows > 0 ? static_cast<std::int64_t>(values.size()) / n_rows : 0;
  for (std::int64_t i = 0; i < n_rows; i++) {
    std::printf("row");
    for (std::int64_t k = 0; k < columns; k++) std::printf(" %.17g", values[i * columns + k]);
    std::printf("\n");
  }
}

void run(const std::string& file, const std::vector<std::string>& outputs) {
  glassml::ModelRunner runner(file, glassml::resolve_device("cpu", 0));
  const glassml::Manifest& manifest = runner.manifest();
  const Particles particles = read_particles(manifest.scalar_inputs.size());
  glassml::EdgeFinder finder(manifest.cutoff);
  const glassml::Edges& edges = finder.find(particles.positions, particles.n_local);
  print_edges(edges);
  runner.embed(particles.species, particles.scalars);
  runner.embed_edges(edges);
  for (int k = 0; k < manifest.n_steps; k++) {
    runner.open_state(k, particles.n_all);
    exchange(runner, k, particles);
    runner.step(k);
  }
  print_rows(runner.outputs(outputs), particles.n_local);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 3) throw std::runtime_error("expected the arguments MODEL OUTPUT...");
    run(argv[1], {argv + 2, argv + argc});
  } catch (const std::exception& problem) {
    std::printf("error: %s\n", problem.what());
    return 1;
  }
  return 0;
}
