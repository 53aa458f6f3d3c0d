// Uses StateRows without LAMMPS, as a program that the Python tests call:
//
//   glassml_state_rows_driver order SIZE < positions   prints the order of particles `x y z`
//   glassml_state_rows_driver chain                    prints rows and messages of three domains
//
// The chain: domain 0 has the atoms 0 and 1, domain 1 has none of its own, domain 2 has one. Domain
// 1 receives both atoms of domain 0 twice (two images) and forwards one image of each to domain 2,
// whose last ghost is an image of its own atom. Domain 2 reads the image of atom 0 and its own
// image.
#include <cmath>
#include <cstdio>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "state_rows.h"

namespace {

void print(const char* name, std::span<const int> numbers) {
  std::printf("%s", name);
  for (const int number : numbers) std::printf(" %d", number);
  std::printf("\n");
}

void print_order(double size) {
  std::vector<double> positions;
  std::string number;  // as text: a stream does not read "nan" as a number
  while (std::cin >> number) positions.push_back(std::stod(number));
  print("order", glassml::near_order(positions, size));
}

/// One message of LAMMPS in one direction: the atoms of a list become the ghosts from `first` on.
struct Swap {
  glassml::StateRows& from;
  glassml::StateRows& to;
  std::vector<int> list;
  int first;

  int size() const { return static_cast<int>(list.size()); }

  void forward_owners() const {
    std::vector<double> buffer(list.size());
    from.pack_owners(list, buffer.data());
    to.unpack_owners(first, size(), buffer.data());
  }

  void reverse_marks() const {
    std::vector<double> buffer(list.size());
    to.pack_marks(first, size(), buffer.data());
    from.unpack_marks(list, buffer.data());
  }

  void print_rows(const std::string& name) const {
    print((name + " sent").c_str(), from.sent(list.data()));
    print((name + " received").c_str(), to.received(first, size()));
  }
};

void print_chain() {
  std::vector<glassml::StateRows> domains = {glassml::StateRows(0), glassml::StateRows(1),
                                             glassml::StateRows(2)};
  domains[0].arrange({1, 0}, 2);  // atom 1 in row 0
  domains[1].arrange({}, 4);
  domains[2].arrange({0}, 4);
  const std::vector<Swap> swaps = {{domains[0], domains[1], {0, 1}, 0},
                                   {domains[0], domains[1], {0, 1}, 2},
                                   {domains[1], domains[2], {1, 2}, 1},
                                   {domains[2], domains[2], {0}, 3}};
  for (const Swap& swap : swaps) swap.forward_owners();
  std::vector<std::int64_t> sender = {2, 3, 2};
  domains[2].require(sender);
  for (auto swap = swaps.rbegin(); swap != swaps.rend(); ++swap) swap->reverse_marks();
  print("senders", std::vector<int>(sender.begin(), sender.end()));
  std::vector<int> n_rows;
  for (const auto& domain : domains) n_rows.push_back(static_cast<int>(domain.n_rows()));
  print("rows", n_rows);
  for (std::size_t k = 0; k < swaps.size(); k++) swaps[k].print_rows("swap " + std::to_string(k));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "order" && argc == 3)
    print_order(std::stod(argv[2]));
  else if (what == "chain")
    print_chain();
  else
    return 2;
  return 0;
}
