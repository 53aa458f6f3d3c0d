// Runs the model runner without LAMMPS, as a program that the Python tests call:
//
//   glassml_runner_driver MODEL OUTPUT... < particles
//   glassml_runner_driver --each LIST
//
// Input: `n_local n_all`, then a line `x y z owner species scalar...` for each row: own particles
// first, then images with the row of their owner. Output: a line `edge receiver sender` for each
// edge, then a line `row values...` for each own particle. After an error: `error: ...`, status 1.
//
// With --each, all outputs of every model file that LIST names, on a small lattice, each file in a
// process of its own with limits of time and memory. Output: a line `result seconds message` with
// tabs between them; results are accepted, refused, memory, hang and crash.
#include <ATen/Parallel.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <span>
#include <sstream>
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

/// 27 particles at the corners of cubes, all species in turn; no images.
Particles lattice(const glassml::Manifest& manifest) {
  constexpr double spacing = 0.6;
  Particles particles;
  particles.n_local = particles.n_all = 27;
  for (int i = 0; i < 27; i++) {
    for (const int corner : {i % 3, i / 3 % 3, i / 9})
      particles.positions.push_back(spacing * corner);
    particles.owner.push_back(i);
    particles.species.push_back(i % static_cast<int>(manifest.species.size()));
    for (std::size_t k = 0; k < manifest.scalar_inputs.size(); k++)
      particles.scalars.push_back(0.5);
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

/// All particles are in this process.
void settle(glassml::ModelRunner& runner, int k) {
  if (runner.n_sums(k) > 0) runner.settle(k, runner.sums(k));
}

void run(glassml::ModelRunner& runner, const Particles& particles,
         const std::vector<std::string>& outputs) {
  const glassml::Manifest& manifest = runner.manifest();
  glassml::EdgeFinder finder(manifest.cutoff);
  const glassml::Edges& edges = finder.find(particles.positions, particles.n_local);
  print_edges(edges);
  runner.embed(particles.species, particles.scalars);
  runner.embed_edges(edges);
  for (int k = 0; k < manifest.n_steps; k++) {
    settle(runner, k);
    runner.open_state(k, particles.n_all);
    exchange(runner, k, particles);
    runner.step(k);
  }
  settle(runner, manifest.n_steps);
  print_rows(runner.outputs(outputs), particles.n_local);
}

void run_model(const std::string& file, const std::vector<std::string>& outputs) {
  glassml::ModelRunner runner(file, glassml::resolve_device("cpu", 0));
  run(runner, read_particles(runner.manifest().scalar_inputs.size()), outputs);
}

void run_on_lattice(const std::string& file) {
  glassml::ModelRunner runner(file, glassml::resolve_device("cpu", 0));
  std::vector<std::string> outputs;
  for (const auto& output : runner.manifest().outputs) outputs.push_back(output.name);
  run(runner, lattice(runner.manifest()), outputs);
}

constexpr int kSeconds = 10;    // of a processor
constexpr int kPatience = 120;  // seconds of the clock: a process that waits uses no processor
constexpr rlim_t kMemory = rlim_t{2} << 30;  // bytes more than before

/// Signals end what takes longer; more memory throws std::bad_alloc.
void limit_this_process() {
  const itimerval timer{{0, 0}, {kSeconds, 0}};
  if (setitimer(ITIMER_PROF, &timer, nullptr) != 0)
    throw std::runtime_error("cannot limit the time");
  alarm(kPatience);
  rlim_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t most = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + kMemory;
  const rlimit limit{most, most};
  if (setrlimit(RLIMIT_AS, &limit) != 0) throw std::runtime_error("cannot limit the memory");
}

/// In the process of one file. @returns result and message, with a tab between them
std::string attempt(const std::string& file) {
  try {
    limit_this_process();
    run_on_lattice(file);
    return "accepted\t";
  } catch (const std::bad_alloc&) {
    return "memory\tstd::bad_alloc";
  } catch (const std::exception& problem) {
    std::string text = problem.what();
    std::replace_if(
        text.begin(), text.end(),
        [](char c) { return std::iscntrl(static_cast<unsigned char>(c)) != 0; }, ' ');
    const bool memory = text.find("can't allocate memory") != std::string::npos;
    return (memory ? "memory\t" : "refused\t") + text;
  }
}

double seconds(const timeval& time) { return time.tv_sec + 1e-6 * time.tv_usec; }

/// Runs `attempt` in a process of its own. @returns a line of the output
std::string result_of(const std::string& file) {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) throw std::runtime_error("cannot make a pipe");
  std::cout.flush();
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("cannot start a process");
  if (child == 0) {
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    const std::string result = attempt(file);
    _exit(write(pipe_ends[1], result.data(), result.size()) < 0);
  }
  close(pipe_ends[1]);
  std::string result;
  char part[4096];
  for (ssize_t n; (n = read(pipe_ends[0], part, sizeof part)) > 0;) result.append(part, n);
  close(pipe_ends[0]);
  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  if (WIFSIGNALED(status)) {
    const int number = WTERMSIG(status);
    const bool hang = number == SIGALRM || number == SIGPROF;
    result = std::string(hang ? "hang\t" : "crash\t") + strsignal(number);
  }
  const std::size_t tab = result.find('\t');
  if (tab == std::string::npos) throw std::runtime_error(file + ": its process gave no result");
  std::ostringstream line;
  line << result.substr(0, tab) << '\t' << seconds(usage.ru_utime) + seconds(usage.ru_stime)
       << result.substr(tab);
  return line.str();
}

void run_each(const std::string& list) {
  at::set_num_threads(1);  // threads would not be copied by fork
  std::ifstream files(list);
  if (!files) throw std::runtime_error(list + ": expected a file of file names; found none");
  for (std::string file; std::getline(files, file);) std::cout << result_of(file) << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 3) throw std::runtime_error("expected the arguments MODEL OUTPUT... or --each LIST");
    if (std::string(argv[1]) == "--each")
      run_each(argv[2]);
    else
      run_model(argv[1], {argv + 2, argv + argc});
  } catch (const std::exception& problem) {
    std::printf("error: %s\n", problem.what());
    return 1;
  }
  return 0;
}
