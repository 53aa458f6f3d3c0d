#include "pickle_check.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

namespace glassml {

namespace {

constexpr int kDeepest = 100;
constexpr std::size_t kMostDimensions = 16;
constexpr const char* kTensor = "torch._utils _rebuild_tensor_v2";
constexpr const char* kDamaged = "a pickle that is damaged";

enum class Kind { number, text, tuple, name, storage, mark, other };

/// What matters of a value: its kind, how deeply it is nested, and numbers and texts.
struct Value {
  Kind kind = Kind::other;
  std::int64_t number = 0;                    // of a number; how many numbers a storage has
  std::string text;                           // of a text or a name
  std::vector<std::shared_ptr<Value>> parts;  // of a tuple
  int depth = 0;
  bool complete = false;  // the pickle may refer to it again, so nothing is added to it
};
using Values = std::vector<std::shared_ptr<Value>>;

[[noreturn]] void damaged() { throw std::runtime_error(kDamaged); }

/// @returns bytes of a number in a storage of this class, 0 if models need no such class
std::int64_t item_bytes(const std::string& name) {
  static const std::map<std::string, std::int64_t> known = {
      {"torch BoolStorage", 1}, {"torch ByteStorage", 1},   {"torch CharStorage", 1},
      {"torch HalfStorage", 2}, {"torch ShortStorage", 2},  {"torch FloatStorage", 4},
      {"torch IntStorage", 4},  {"torch DoubleStorage", 8}, {"torch LongStorage", 8}};
  const auto found = known.find(name);
  return found == known.end() ? 0 : found->second;
}

bool is_own_class(const std::string& name) {
  return name.starts_with("__torch__") && std::all_of(name.begin(), name.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' ||
                  c == ' ';
         });
}

void check_name(const std::string& name) {
  static const std::vector<std::string> functions = {kTensor,
                                                     "collections OrderedDict",
                                                     "torch.jit._pickle build_boollist",
                                                     "torch.jit._pickle build_doublelist",
                                                     "torch.jit._pickle build_intlist",
                                                     "torch.jit._pickle build_tensorlist"};
  std::string path = name;
  std::replace(path.begin(), path.end(), ' ', '.');
  const bool known = std::find(functions.begin(), functions.end(), name) != functions.end() ||
                     item_bytes(name) > 0 || is_own_class(name);
  if (!known || path.find("torch.classes") != std::string::npos)
    throw std::runtime_error("a class that models do not need (" + name + ")");
}

/// The contents of a tuple, checked for their kinds.
const Values& contents(const Value& value, const std::vector<Kind>& kinds) {
  const bool fits = value.kind == Kind::tuple && value.parts.size() == kinds.size() &&
                    std::equal(kinds.begin(), kinds.end(), value.parts.begin(),
                               [](Kind kind, const auto& part) { return part->kind == kind; });
  if (!fits) damaged();
  return value.parts;
}

void check_tensor(const Value& arguments) {
  const Values& fields = contents(
      arguments, {Kind::storage, Kind::number, Kind::tuple, Kind::tuple, Kind::other, Kind::other});
  const std::size_t n = fields[2]->parts.size();
  if (n > kMostDimensions) damaged();
  const std::vector<Kind> numbers(n, Kind::number);
  const Values& sizes = contents(*fields[2], numbers);
  const Values& strides = contents(*fields[3], numbers);
  const std::int64_t offset = fields[1]->number;
  bool fits = offset >= 0, empty = false;
  // In floating point: products of 64-bit integers may overflow, and limits are far below 2^53.
  double last = static_cast<double>(offset);
  for (std::size_t k = 0; k < n; k++) {
    fits = fits && sizes[k]->number >= 0 && strides[k]->number >= 0;
    empty = empty || sizes[k]->number == 0;
    last += (static_cast<double>(sizes[k]->number) - 1.0) * static_cast<double>(strides[k]->number);
  }
  if (!fits || (!empty && last >= static_cast<double>(fields[0]->number)))
    throw std::runtime_error("a tensor that is larger than its storage");
}

/// The machine that a pickle is a program of, without its effects.
class Machine {
 public:
  Machine(std::string_view content, const std::map<std::string, std::uint64_t>& sizes)
      : content_(content), sizes_(sizes) {}

  void run() {
    while (true) {
      const char operation = take(1)[0];
      if (operation == '.') return;
      if (!constant(operation) && !reference(operation) && !container(operation))
        throw std::runtime_error("an operation that torch does not write (byte " +
                                 std::to_string(static_cast<unsigned char>(operation)) + ")");
    }
  }

 private:
  std::string_view take(std::size_t n) {
    if (n > content_.size() - position_) damaged();
    const std::string_view found = content_.substr(position_, n);
    position_ += n;
    return found;
  }

  /// An integer of n bytes, the last of them the highest.
  std::int64_t integer(std::size_t n, bool is_signed) {
    std::uint64_t value = 0;
    const std::string_view bytes = take(n);
    for (std::size_t k = 0; k < n; k++)
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[k])) << (8 * k);
    if (is_signed && n > 0 && n < 8 && (value >> (8 * n - 1)) != 0) value |= ~0ULL << (8 * n);
    return static_cast<std::int64_t>(value);
  }

  std::string line() {
    const std::size_t end = content_.find('\n', position_);
    if (end == std::string_view::npos) damaged();
    const std::string_view found = take(end - position_);
    take(1);
    return std::string(found);
  }

  Value& push(Kind kind) {
    stack_.push_back(std::make_shared<Value>());
    stack_.back()->kind = kind;
    return *stack_.back();
  }

  void push_around(Kind kind, const Values& parts) {
    Value& value = push(kind);
    for (const auto& part : parts) value.depth = std::max(value.depth, part->depth);
    if (++value.depth > kDeepest)
      throw std::runtime_error("values nested deeper than " + std::to_string(kDeepest));
    if (kind == Kind::tuple) value.parts = parts;
  }

  std::shared_ptr<Value> pop() {
    if (stack_.empty() || stack_.back()->kind == Kind::mark) damaged();
    auto value = stack_.back();
    stack_.pop_back();
    return value;
  }

  Values last(std::size_t n) {
    Values parts;
    for (std::size_t k = 0; k < n; k++) parts.push_back(pop());
    std::reverse(parts.begin(), parts.end());
    return parts;
  }

  Values since_mark() {
    Values parts;
    while (!stack_.empty() && stack_.back()->kind != Kind::mark) parts.push_back(pop());
    if (stack_.empty()) damaged();
    stack_.pop_back();
    std::reverse(parts.begin(), parts.end());
    return parts;
  }

  bool constant(char operation) {
    switch (operation) {
      case '\x80':  // the protocol
        take(1);
        return true;
      case 'K':
        push(Kind::number).number = integer(1, false);
        return true;
      case 'M':
        push(Kind::number).number = integer(2, false);
        return true;
      case 'J':
        push(Kind::number).number = integer(4, true);
        return true;
      case '\x8a': {
        const std::int64_t n = integer(1, false);
        if (n > 8) damaged();
        push(Kind::number).number = integer(static_cast<std::size_t>(n), true);
        return true;
      }
      case 'X':
        push(Kind::text).text = take(static_cast<std::size_t>(integer(4, false)));
        return true;
      case 'G':  // a floating-point number
        take(8);
        [[fallthrough]];
      case 'N':  // None, True and False
      case '\x88':
      case '\x89':
        push(Kind::other);
        return true;
      case 'c': {
        const std::string module = line(), name = module + " " + line();
        check_name(name);
        push(Kind::name).text = name;
        return true;
      }
      default:
        return false;
    }
  }

  bool reference(char operation) {
    const bool is_long = operation == 'r' || operation == 'j';
    if (operation == 'q' || operation == 'r') {
      if (stack_.empty()) damaged();
      stack_.back()->complete = true;
      memo_[integer(is_long ? 4 : 1, false)] = stack_.back();
      return true;
    }
    if (operation != 'h' && operation != 'j') return false;
    const auto found = memo_.find(integer(is_long ? 4 : 1, false));
    if (found == memo_.end()) damaged();
    stack_.push_back(found->second);
    return true;
  }

  bool container(char operation) {
    switch (operation) {
      case '(':
        push(Kind::mark);
        return true;
      case '}':  // an empty dictionary or list
      case ']':
        push(Kind::other);
        return true;
      case ')':
        push_around(Kind::tuple, {});
        return true;
      case 't':
        push_around(Kind::tuple, since_mark());
        return true;
      case '\x85':
      case '\x86':
      case '\x87':
        push_around(Kind::tuple, last(static_cast<unsigned char>(operation) - 0x84));
        return true;
      case 'a':  // these add to a list, a dictionary or an object
      case 'b':
        add(last(1));
        return true;
      case 's':
        add(last(2));
        return true;
      case 'e':
      case 'u':
        add(since_mark());
        return true;
      case '\x81':  // an object of a class
        push_around(Kind::other, last(2));
        return true;
      case 'Q':
        storage();
        return true;
      case 'R':
        reduce();
        return true;
      default:
        return false;
    }
  }

  void add(Values parts) {
    auto target = pop();
    if (target->kind != Kind::other || target->complete) damaged();
    parts.push_back(target);
    push_around(Kind::other, parts);
  }

  void storage() {
    const auto tuple = pop();
    const Values& fields =
        contents(*tuple, {Kind::text, Kind::name, Kind::text, Kind::text, Kind::number});
    const std::int64_t bytes = item_bytes(fields[1]->text), count = fields[4]->number;
    const auto found = sizes_.find(fields[2]->text);
    const std::uint64_t there = found == sizes_.end() ? 0 : found->second;
    if (bytes == 0) damaged();
    if (count < 0 || static_cast<std::uint64_t>(count) > there / bytes)
      throw std::runtime_error("a tensor of " + std::to_string(count) +
                               " numbers in a storage of " + std::to_string(there) + " bytes");
    push(Kind::storage).number = count;
  }

  void reduce() {
    const auto arguments = pop(), function = pop();
    if (function->kind != Kind::name) damaged();
    if (function->text == kTensor) check_tensor(*arguments);
    push_around(Kind::other, {arguments});
  }

  std::string_view content_;
  const std::map<std::string, std::uint64_t>& sizes_;
  std::size_t position_ = 0;
  Values stack_;
  std::map<std::int64_t, std::shared_ptr<Value>> memo_;
};

}  // namespace

void check_pickle(std::string_view content, const std::map<std::string, std::uint64_t>& sizes) {
  Machine(content, sizes).run();
}

}  // namespace glassml
