#include "options.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <stdexcept>

namespace glassml {

namespace {

constexpr std::array<const char*, 11> kKeywords = {"output",    "scalar",    "device", "threads",
                                                   "positions", "structure", "smooth", "threshold",
                                                   "chi4",      "edges",     "trust"};
constexpr const char* kKnown =
    "known keywords: output, scalar, device, threads, positions, structure, smooth, threshold, "
    "chi4, edges, trust";

bool is_keyword(const std::string& word) {
  return std::find(kKeywords.begin(), kKeywords.end(), word) != kKeywords.end();
}

/// @param argument named in messages
int positive_integer(const std::string& argument, const std::string& word) {
  const bool digits = !word.empty() && word.find_first_not_of("0123456789") == std::string::npos;
  const int number = digits && word.size() < 10 ? std::stoi(word) : 0;
  if (number < 1)
    throw std::runtime_error(argument + ": expected a positive integer; found '" + word + "'");
  return number;
}

/// @param what "length", for messages
double positive_number(const std::string& argument, const std::string& what,
                       const std::string& word) {
  char* end = nullptr;
  const double number = std::strtod(word.c_str(), &end);
  if (*end != '\0' || !std::isfinite(number) || number <= 0.0)
    throw std::runtime_error(argument + ": expected a positive " + what + "; found '" + word + "'");
  return number;
}

bool yes_or_no(const std::string& argument, const std::string& word) {
  if (word != "yes" && word != "no")
    throw std::runtime_error(argument + ": expected yes or no; found '" + word + "'");
  return word == "yes";
}

std::string joined(const std::vector<std::string>& words) {
  std::string result;
  for (const std::string& word : words) result += (result.empty() ? "" : " ") + word;
  return result;
}

/// The words "inherent [ftol maxiter]".
void apply_inherent(Options& options, const std::string& place,
                    const std::vector<std::string>& values) {
  if (options.inherent)
    throw std::runtime_error(
        place +
        ": expected 'positions inherent' or 'structure inherent', once; found a second one");
  options.inherent = true;
  if (values.size() > 1)
    options.force_tolerance = positive_number(place + ": ftol", "force", values[1]);
  if (values.size() > 2) options.max_iterations = positive_integer(place + ": maxiter", values[2]);
}

void apply_structure(Options& options, const std::vector<std::string>& values) {
  if (values[0] != "inherent" || values.size() > 3)
    throw std::runtime_error("keyword structure: expected 'inherent [ftol maxiter]'; found '" +
                             joined(values) + "' (" + kKnown + ")");
  apply_inherent(options, "keyword structure", values);
}

void apply_positions(Options& options, const std::vector<std::string>& values) {
  if (options.positions != Positions::kModel)
    throw std::runtime_error("keyword positions: expected it once; found it twice");
  if (values[0] == "thermal" && values.size() == 1) {
    options.positions = Positions::kThermal;
  } else if (values[0] == "average" && values.size() == 3) {
    options.positions = Positions::kAverage;
    options.sample_every = positive_integer("keyword positions: Nsample", values[1]);
    options.n_samples = positive_integer("keyword positions: Nrepeat", values[2]);
  } else if (values[0] == "inherent" && values.size() <= 3) {
    options.positions = Positions::kInherent;
    apply_inherent(options, "keyword positions", values);
  } else {
    throw std::runtime_error(
        "keyword positions: expected 'thermal', 'inherent [ftol maxiter]' or 'average Nsample "
        "Nrepeat'; found '" +
        joined(values) + "' (" + kKnown + ")");
  }
}

/// The words that belong to a keyword: all up to the next keyword.
std::vector<std::string> values_after(const std::vector<std::string>& words, std::size_t keyword) {
  auto first = words.begin() + static_cast<std::ptrdiff_t>(keyword) + 1;
  return {first, std::find_if(first, words.end(), is_keyword)};
}

void apply(Options& options, const std::string& keyword, const std::vector<std::string>& values) {
  if (values.empty())
    throw std::runtime_error("keyword " + keyword + ": expected a value; found none");
  const bool one = keyword != "output" && keyword != "positions" && keyword != "structure";
  if (one && values.size() > 1)
    throw std::runtime_error("keyword " + keyword + ": expected one value; found also '" +
                             values[1] + "' (" + kKnown + ")");
  const std::string place = "keyword " + keyword;
  if (keyword == "output") {
    options.outputs = values;
  } else if (keyword == "scalar") {
    options.scalars.push_back(values[0]);
  } else if (keyword == "positions") {
    apply_positions(options, values);
  } else if (keyword == "structure") {
    apply_structure(options, values);
  } else if (keyword == "device") {
    options.device = values[0];
  } else if (keyword == "smooth") {
    options.smooth = positive_integer(place, values[0]);
  } else if (keyword == "threshold") {
    options.threshold = positive_number(place, "length", values[0]);
  } else if (keyword == "chi4") {
    options.chi4 = values[0] == "all" ? 0 : positive_integer(place, values[0]);
    options.chi4_given = true;
  } else if (keyword == "edges") {
    options.edges = yes_or_no(place, values[0]);
  } else if (keyword == "trust") {
    options.trust = yes_or_no(place, values[0]);
  } else {
    options.threads = positive_integer(place, values[0]);
  }
}

}  // namespace

Options parse_options(const std::vector<std::string>& words, int n_types) {
  if (words.empty()) throw std::runtime_error("expected a model file; found nothing");
  Options options;
  options.model_file = words[0];
  options.species = values_after(words, 0);
  std::size_t next = 1 + options.species.size();
  const auto n_species = static_cast<int>(options.species.size());
  // With more words than types there are too many species, or a keyword is mistyped.
  if (n_species != n_types) {
    std::string text = "expected one species for each of the " + std::to_string(n_types) +
                       " atom types; found " + std::to_string(n_species);
    for (int k = 0; k < n_species; k++) text += (k == 0 ? ": " : " ") + options.species[k];
    if (n_species > n_types)
      text += ", or '" + options.species[n_types] + "' is an unknown keyword (" + kKnown + ")";
    throw std::runtime_error(text);
  }
  while (next < words.size()) {
    const auto values = values_after(words, next);
    apply(options, words[next], values);
    next += 1 + values.size();
  }
  return options;
}

}  // namespace glassml
