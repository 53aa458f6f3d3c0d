// Uses Smoothing and GroupStatistics without LAMMPS, as a program that the Python tests call:
//
//   glassml_statistics_driver smoothing M COLUMNS
//       `add ATOM STEP values...` prints the means and the spreads, `move FROM TO` sends an atom,
//       `copy FROM TO` and `clear ATOM` do what they say; of 8 atoms
//   glassml_statistics_driver statistics TIMES THRESHOLD WINDOW
//       `STEP N values...`, with TIMES values for each of N atoms, prints all statistics
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "group_statistics.h"
#include "smoothing.h"

namespace {

constexpr std::size_t kAtoms = 8;

std::vector<double> read_values(std::size_t n) {
  std::vector<double> values(n);
  for (double& value : values) std::cin >> value;
  return values;
}

void print(const std::vector<double>& values) {
  for (const double value : values) std::printf("%.17g ", value);
}

void smooth(int window, int columns) {
  glassml::Smoothing smoothing(window, columns);
  smoothing.grow(kAtoms);
  std::vector<double> buffer(smoothing.exchange_size()), spread(columns);
  std::string what;
  while (std::cin >> what) {
    std::size_t atom = 0, to = 0;
    std::cin >> atom;
    if (what == "clear") {
      smoothing.clear(atom);
    } else if (what == "add") {
      long step = 0;
      std::cin >> step;
      std::vector<double> values = read_values(columns);
      smoothing.add(atom, step, values.data(), spread.data());
      print(values);
      print(spread);
      std::printf("\n");
    } else if (std::cin >> to; what == "copy") {
      smoothing.copy(atom, to);
    } else if (smoothing.pack(atom, buffer.data()) != smoothing.unpack(to, buffer.data())) {
      std::printf("different lengths\n");
    }
  }
}

void compute_statistics(std::size_t times, double threshold, std::size_t window) {
  glassml::GroupStatistics statistics(times, threshold, window);
  long step = 0;
  std::size_t n = 0;
  while (std::cin >> step >> n) {
    const std::vector<double> values = read_values(n * times);
    std::vector<double> sums(statistics.n_sums(), 0.0);
    for (std::size_t i = 0; i < n; i++) statistics.add(&values[i * times], sums.data());
    statistics.finish(step, sums.data(), static_cast<double>(n));
    std::vector<double> found;
    for (std::size_t t = 0; t < times; t++)
      for (std::size_t c = 0; c < statistics.n_columns(); c++)
        found.push_back(statistics.value(t, c));
    print(found);
    std::printf("\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "smoothing" && argc == 4)
    smooth(std::stoi(argv[2]), std::stoi(argv[3]));
  else if (what == "statistics" && argc == 5)
    compute_statistics(std::stoul(argv[2]), std::stod(argv[3]), std::stoul(argv[4]));
  else
    return 2;
  return 0;
}
