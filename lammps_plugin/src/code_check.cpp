#include "code_check.h"

#include <torch/csrc/jit/runtime/operator.h>

#include <cctype>
#include <cstring>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace glassml {

namespace {

// Operators of torch, which only calculate.
constexpr const char* kOperators =
    "__and__ __contains__ __derive_index __getitem__ __is__ __isnot__ __len__ __not__ __or__ "
    "__range_length abs acos add add_ addmm all any append arange argsort atan2 bincount bmm cat "
    "ceil clamp clamp_max clamp_min clone contiguous copy_ cos count cumsum detach device dim div "
    "dtype einsum empty eq erf exp expand fill_ flatten floor floordiv format full ge gelu gt "
    "index index_add index_add_ index_select is_grad_enabled item keys layer_norm le len "
    "linalg_vector_norm linear log log1p logical_and logical_not logical_or lt masked_fill matmul "
    "max mean min mm mul mul_ narrow ne neg new_zeros nonzero norm numel one_hot ones ones_like "
    "pad permute pow reciprocal relu remainder repeat repeat_interleave reshape rsqrt scatter_add "
    "scatter_add_ searchsorted select sigmoid sign silu silu_ sin sinc size slice softmax "
    "softplus sort split sqrt square squeeze stack std sub sub_ sum tanh tensor to transpose tril "
    "triu true_divide unbind unsqueeze values var view where zero_ zeros zeros_like";
constexpr const char* kOtherOperators =
    "glassml.edge_update glassml.edge_update_ glassml.equivariant_convolution "
    "glassml.shell_sums glassml.tabulated_convolution glassml.weighted_sums prim.RaiseException "
    "prim.data prim.device prim.dtype prim.max prim.min prim.unchecked_cast";

// Limits of the nesting, which torch reads recursively: some 4000 nested brackets crash it.
constexpr int kDeepest = 100;  // brackets in brackets, blocks in blocks (each indented by two)
constexpr int kLongestStatement = 3000;  // names and signs without commas

std::set<std::string> words_of(const char* text) {
  std::istringstream stream(text);
  std::set<std::string> words;
  for (std::string word; stream >> word;) words.insert(word);
  return words;
}

const std::set<std::string>& operators() {
  static const std::set<std::string> names = words_of(kOperators);
  return names;
}

/// Names of all operators of this torch except those of kOperators.
const std::set<std::string>& refused() {
  static const std::set<std::string> names = [] {
    std::set<std::string> found;
    for (const auto& one : torch::jit::getAllOperators()) {
      const std::string& name = one->schema().name();
      const std::size_t colons = name.rfind("::");
      found.insert(colons == std::string::npos ? name : name.substr(colons + 2));
    }
    for (const std::string& name : operators()) found.erase(name);
    return found;
  }();
  return names;
}

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool in_word(char c) { return is_letter(c) || is_digit(c); }

class Checker {
 public:
  Checker(const std::string& file, std::string_view text) : file_(file), text_(text) {}

  void check() {
    read_tokens();
    for (std::size_t k = 0; k < tokens_.size(); k++) {
      const std::string& token = tokens_[k];
      if (token[0] == '"') {
        refuse_operator(token.substr(1, token.size() - 2));
      } else if (k > 0 && tokens_[k - 1] == ".") {
        if (!in_path(k)) refuse_operator(token);
      } else if (is_root(token)) {
        check_path(k);
      }
    }
  }

 private:
  static bool is_root(const std::string& token) {
    return token == "torch" || token == "ops" || token == "__torch__";
  }

  /// Whether token k, after a dot, belongs to a path that check_path has seen.
  bool in_path(std::size_t k) const {
    std::size_t first = k;
    while (first > 1 && tokens_[first - 1] == "." && in_word(tokens_[first - 2][0])) first -= 2;
    return is_root(tokens_[first]) && (first == 0 || tokens_[first - 1] != ".");
  }

  void check_path(std::size_t k) const {
    std::vector<std::string> names = {tokens_[k]};
    std::string path = tokens_[k];
    for (; k + 2 < tokens_.size() && tokens_[k + 1] == "."; k += 2) {
      names.push_back(tokens_[k + 2]);
      path += "." + tokens_[k + 2];
    }
    static const std::set<std::string> others = words_of(kOtherOperators);
    bool known = false;
    if (names[0] == "torch")
      known = names.size() == 2 && operators().count(names[1]) > 0;
    else if (names[0] == "ops")
      known = names.size() == 3 && others.count(names[1] + "." + names[2]) > 0;
    else
      known = names.size() > 2 && !(names[1] == "torch" && names[2] == "classes");
    if (!known) refuse(path);
  }

  void refuse_operator(const std::string& name) const {
    if (refused().count(name) > 0) refuse(name);
  }

  [[noreturn]] void refuse(const std::string& found) const {
    throw std::runtime_error(file_ + ": expected a model whose code only calculates; found " +
                             found +
                             ". Its code could do anything that you may do, such as overwrite " +
                             "files. If you trust its author, add the keyword 'trust yes'");
  }

  [[noreturn]] void refuse_text(std::size_t k) const {
    const std::string_view rest = text_.substr(k, 20);
    refuse("text that torch does not write, '" + std::string(rest.substr(0, rest.find('\n'))) +
           "'");
  }

  /// Splits the text; what is no token of the code that torch writes is refused.
  void read_tokens() {
    for (const char c : text_)
      if (static_cast<unsigned char>(c) > 127) refuse("letters that are not ASCII");
    std::size_t k = 0;
    while (k < text_.size()) {
      const std::size_t begin = k;
      const char c = text_[k];
      if (c == ' ' || c == '\t' || c == '\n') {
        while (k < text_.size() && (text_[k] == ' ' || text_[k] == '\t' || text_[k] == '\n')) k++;
        see_blank(text_.substr(begin, k - begin));
        continue;
      }
      if (c == '#') {
        while (k < text_.size() && text_[k] != '\n') k++;
        continue;
      }
      if (is_letter(c)) {
        while (k < text_.size() && in_word(text_[k])) k++;
      } else if (is_digit(c)) {
        k = end_of_number(k);
      } else if (c == '"') {
        k = end_of_text(k);
      } else if (std::strchr("-+*/%=<>!&|^~.,:;@()[]{}", c) != nullptr && c != '\0') {
        k++;
      } else {
        refuse_text(k);
      }
      tokens_.emplace_back(text_.substr(begin, k - begin));
      if (!is_digit(c) && c != '"' && c != ',') see_part(c);
    }
  }

  /// A new line ends a statement, except in brackets.
  void see_blank(std::string_view blank) {
    const std::size_t end_of_line = blank.rfind('\n');
    if (end_of_line == std::string_view::npos || brackets_ != 0) return;
    length_ = 0;
    if (blank.size() - end_of_line - 1 > 2 * kDeepest)
      refuse("blocks nested more than " + std::to_string(kDeepest) + " deep");
  }

  /// A name or a sign, which begins with c.
  void see_part(char c) {
    length_++;
    if (std::strchr("([{", c) != nullptr) brackets_++;
    if (std::strchr(")]}", c) != nullptr && brackets_ > 0) brackets_--;
    if (brackets_ > kDeepest)
      refuse("brackets nested more than " + std::to_string(kDeepest) + " deep");
    if (length_ > kLongestStatement)
      refuse("a statement of more than " + std::to_string(kLongestStatement) + " parts");
  }

  std::size_t end_of_number(std::size_t k) const {
    const std::size_t begin = k;
    const auto digits = [&] {
      while (k < text_.size() && is_digit(text_[k])) k++;
    };
    digits();
    if (k < text_.size() && text_[k] == '.') k++, digits();
    if (k < text_.size() && (text_[k] == 'e' || text_[k] == 'E')) {
      k++;
      if (k < text_.size() && (text_[k] == '+' || text_[k] == '-')) k++;
      digits();
    }
    if (k < text_.size() && (in_word(text_[k]) || text_[k] == '.')) refuse_text(begin);
    return k;
  }

  std::size_t end_of_text(std::size_t k) const {
    const std::size_t begin = k;
    for (k++; k < text_.size() && text_[k] != '"'; k++)
      if (text_[k] == '\\' || text_[k] == '\n') refuse_text(begin);
    k++;
    if (k > text_.size() || (k < text_.size() && text_[k] == '"')) refuse_text(begin);
    return k;
  }

  const std::string& file_;
  std::string_view text_;
  std::vector<std::string> tokens_;
  int brackets_ = 0;
  int length_ = 0;  // of this statement
};

}  // namespace

void check_source(std::string_view text, const std::string& file) { Checker(file, text).check(); }

}  // namespace glassml
