#include "options.h"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace glassml {

namespace {

constexpr std::array<const char*, 4> kKeywords = {"output", "scalar", "device", "threads"};
constexpr const char* kKnown = "known keywords: output, scalar, device, threads";

bool is_keyword(const std::string& word) {
  return std::find(kKeywords.begin(), kKeywords.end(), word) != kKeywords.end();
}

int parse_threads(const std::string& word) {
  const bool digits = !word.empty() && word.find_first_not_of("0123456789") == std::string::npos;
  const int threads = digits && word.size() < 7 ? std::stoi(word) : 0;
  if (threads < 1)
    throw std::runtime_error("keyword threads: expected a positive integer; found '" + word + "'");
  return threads;
}

/// The words that belong to a keyword: all up to the next keyword.
std::vector<std::string> values_after(const std::vector<std::string>& words, std::size_t keyword) {
  auto first = words.begin() + static_cast<std::ptrdiff_t>(keyword) + 1;
  return {first, std::find_if(first, words.end(), is_keyword)};
}

void apply(Options& options, const std::string& keyword, const std::vector<std::string>& values) {
  if (values.empty())
    throw std::runtime_error("keyword " + keyword + ": expected a value; found none");
  if (keyword != "output" && values.size() > 1)
    throw std::runtime_error("keyword " + keyword + ": expected one value; found also '" +
                             values[1] + "' (" + kKnown + ")");
  if (keyword == "output") {
    options.outputs = values;
  } else if (keyword == "scalar") {
    options.scalars.push_back(values[0]);
  } else if (keyword == "device") {
    options.device = values[0];
  } else {
    options.threads = parse_threads(values[0]);
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
