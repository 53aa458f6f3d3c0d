// Uses Halo and near_order without LAMMPS and torch, as a program that the Python tests call:
//
//   glassml_halo_driver order SIZE < positions         prints the order of particles `x y z`
//   mpiexec ... glassml_halo_driver edges INPUT OUTPUT   finds edges; rank R writes OUTPUT.R
//
// Input: the cutoff, the origin, three lattice vectors, three numbers 0 or 1 for the periodic
// directions, the number of particles, then `rank x y z` for each of them. Output: a line
// `edge receiver sender dx dy dz` with numbers of particles, as the states say that the exchange
// brought, and at the end `rows own all sent images`. For a bad position: a line `error ...`, and
// the rank continues, as the fix does.
#include <mpi.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "edges.h"
#include "halo.h"
#include "near_order.h"

namespace {

// A state: the number of the particle and of the step. Its length is no multiple of a word's.
constexpr std::size_t kRowBytes = 9;
constexpr int kSteps = 2;

void print_order(double size) {
  std::vector<double> positions;
  std::string number;  // as text: a stream does not read "nan" as a number
  while (std::cin >> number) positions.push_back(std::stod(number));
  std::printf("order");
  for (const int particle : glassml::near_order(positions, size)) std::printf(" %d", particle);
  std::printf("\n");
}

struct Input {
  double cutoff = 0.0;
  glassml::Cell cell;
  std::vector<double> positions;      // [n_own, 3]
  std::vector<std::int64_t> numbers;  // [n_own]
};

Input read_own(const std::string& file, int rank) {
  std::ifstream stream(file);
  const auto next = [&stream] {
    std::string word;
    stream >> word;
    return std::stod(word);
  };
  Input input;
  input.cutoff = next();
  for (double& x : input.cell.origin) x = next();
  for (auto& vector : input.cell.vectors)
    for (double& x : vector) x = next();
  for (bool& periodic : input.cell.periodic) periodic = next() != 0.0;
  const auto n = static_cast<std::int64_t>(next());
  for (std::int64_t number = 0; number < n; number++) {
    const bool own = static_cast<int>(next()) == rank;
    const double x[3] = {next(), next(), next()};
    if (!own) continue;
    input.positions.insert(input.positions.end(), x, x + 3);
    input.numbers.push_back(number);
  }
  return input;
}

/// Brings the states of one step to all rows; returns them.
std::vector<std::byte> exchange(glassml::Halo& halo, const Input& input, int step) {
  std::vector<std::byte> states(halo.n_rows() * kRowBytes);
  for (std::size_t row = 0; row < input.numbers.size(); row++) {
    std::memcpy(&states[row * kRowBytes], &input.numbers[row], sizeof(std::int64_t));
    states[row * kRowBytes + 8] = static_cast<std::byte>(step);
  }
  std::vector<std::byte> sent;
  for (const int row : halo.sent())
    sent.insert(sent.end(), &states[row * kRowBytes], &states[row * kRowBytes] + kRowBytes);
  const auto received = halo.exchange_states(sent, kRowBytes);
  for (std::size_t k = 0; k < halo.received().size(); k++)
    std::memcpy(&states[halo.received()[k] * kRowBytes], &received[k * kRowBytes], kRowBytes);
  return states;
}

void print_edges(std::FILE* out, const glassml::Edges& edges, const Input& input,
                 const std::vector<std::byte>& states, int step) {
  for (std::size_t i = 0; i + 1 < edges.first_edge.size(); i++) {
    for (auto e = edges.first_edge[i]; e < edges.first_edge[i + 1]; e++) {
      const std::byte* state = &states[edges.sender[e] * kRowBytes];
      std::int64_t sender;
      std::memcpy(&sender, state, sizeof sender);
      if (state[8] != static_cast<std::byte>(step)) std::fprintf(out, "error old state\n");
      const double* d = &edges.vector[3 * e];
      std::fprintf(out, "edge %lld %lld %.17g %.17g %.17g\n",
                   static_cast<long long>(input.numbers[i]), static_cast<long long>(sender), d[0],
                   d[1], d[2]);
    }
  }
}

void find_edges(const Input& input, std::FILE* out) {
  glassml::Halo halo(MPI_COMM_WORLD, input.cutoff);
  glassml::EdgeFinder finder(input.cutoff);
  const std::size_t n_own = input.numbers.size();
  halo.exchange_positions(input.positions, input.cell);
  glassml::Edges edges;
  try {
    halo.check();
    edges = finder.find(halo.positions(), static_cast<std::int64_t>(n_own));
  } catch (const glassml::BadPosition& problem) {
    const auto number = input.numbers[problem.row()];
    std::fprintf(out, "error %s\n", problem.text("particle " + std::to_string(number)).c_str());
  }
  halo.request(edges.sender);
  std::vector<std::byte> states;
  for (int step = 1; step <= kSteps; step++) states = exchange(halo, input, step);
  print_edges(out, edges, input, states, kSteps);
  std::fprintf(out, "rows %zu %lld %zu %zu\n", n_own, static_cast<long long>(halo.n_rows()),
               halo.sent().size(), halo.positions().size() / 3 - n_own);
}

int run_rank(const std::string& file, const std::string& output) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  std::FILE* out = std::fopen((output + "." + std::to_string(rank)).c_str(), "w");
  if (out == nullptr) return 1;
  find_edges(read_own(file, rank), out);
  std::fclose(out);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "order" && argc == 3) {
    print_order(std::stod(argv[2]));
    return 0;
  }
  if (what != "edges" || argc != 4) return 2;
  MPI_Init(&argc, &argv);
  const int status = run_rank(argv[2], argv[3]);
  MPI_Finalize();
  return status;
}
