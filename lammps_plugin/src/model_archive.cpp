#include "model_archive.h"

#include <caffe2/serialize/inline_container.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <regex>
#include <set>
#include <stdexcept>
#include <vector>

#include "code_check.h"
#include "pickle_check.h"
#include "torch_errors.h"

namespace glassml {

namespace {

constexpr std::uint64_t kMegabyte = 1 << 20;
constexpr std::uint64_t kLargestFile = 512 * kMegabyte;  // also after decompression
constexpr std::uint64_t kLargestManifest = 16 * kMegabyte;
constexpr std::uint64_t kLargestPart = 2 * kMegabyte;  // of code and of pickles

constexpr const char* kManifest = "extra/manifest.json";
constexpr const char* kAdvice = "Copy it again, or export the model again";

/// All members that `glassml export` writes; .debug_pkl only in files of the first version.
bool is_known(const std::string& name) {
  static const std::regex members(
      "extra/manifest\\.json|(data|constants)\\.pkl|code/[A-Za-z0-9_/]{1,200}\\.py(\\.debug_pkl)?"
      "|(data|constants)/[0-9]{1,9}|version|byteorder|\\.data/serialization_id|\\.format_version"
      "|\\.storage_alignment");
  return name.size() < 300 && std::regex_match(name, members);
}

bool is_tensor(const std::string& name) {
  return name.starts_with("data/") || name.starts_with("constants/");
}

/// The checksum of zip archives: the cyclic redundancy check of IEEE 802.3.
std::uint32_t checksum_of(const std::string& bytes) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> values{};
    for (std::uint32_t k = 0; k < 256; k++) {
      values[k] = k;
      for (int bit = 0; bit < 8; bit++)
        values[k] = (values[k] >> 1) ^ (0xEDB88320U * (values[k] & 1U));
    }
    return values;
  }();
  std::uint32_t sum = 0xFFFFFFFFU;
  for (const char c : bytes)
    sum = table[(sum ^ static_cast<unsigned char>(c)) & 0xFFU] ^ (sum >> 8);
  return ~sum;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// Little-endian integers of an archive; throws beyond its end.
class Bytes {
 public:
  explicit Bytes(const std::string& bytes) : bytes_(bytes) {}

  std::uint64_t integer(std::uint64_t place, std::size_t n) const {
    const std::string part = text(place, n);
    std::uint64_t value = 0;
    for (std::size_t k = 0; k < n; k++)
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(part[k])) << (8 * k);
    return value;
  }

  std::string text(std::uint64_t place, std::size_t n) const {
    if (place > bytes_.size() || n > bytes_.size() - place)
      throw std::out_of_range("a list of members that is cut off");
    return bytes_.substr(place, n);
  }

 private:
  const std::string& bytes_;
};

}  // namespace

ModelArchive::ModelArchive(const std::string& file) : file_(file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string unreadable = file + ": expected a model file that can be read; found: ";
  if (!stream.is_open()) throw std::runtime_error(unreadable + std::strerror(errno));
  std::vector<char> chunk(1 << 16);
  while (stream && bytes_.size() <= kLargestFile) {
    stream.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    bytes_.append(chunk.data(), static_cast<std::size_t>(stream.gcount()));
  }
  if (bytes_.empty()) throw std::runtime_error(unreadable + "an empty file or a folder");
  if (bytes_.size() > kLargestFile)
    throw std::runtime_error(unreadable + "more than " + std::to_string(kLargestFile / kMegabyte) +
                             " MB");
  try {
    read_directory();
  } catch (const std::out_of_range& error) {
    throw std::runtime_error(file + ": expected a complete glassml model; found another " +
                             "or a truncated file: " + error.what());
  }
}

std::istringstream ModelArchive::stream() const { return std::istringstream(bytes_); }

std::int64_t ModelArchive::fingerprint() const {
  std::uint64_t hash = 14695981039346656037ULL;  // 64-bit FNV-1a
  for (const char c : bytes_) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return static_cast<std::int64_t>(hash);
}

/// The list of members at the end of a zip archive, as section 4.3 of its specification
/// (APPNOTE.TXT) describes it.
void ModelArchive::read_directory() {
  constexpr std::size_t kEndSize = 22, kEntrySize = 46;
  const Bytes bytes(bytes_);
  const std::size_t end = bytes_.rfind("PK\x05\x06");
  if (end == std::string::npos) throw std::out_of_range("no list of members, as archives have");
  const std::uint64_t count = bytes.integer(end + 10, 2);
  std::uint64_t place = bytes.integer(end + 16, 4);
  bytes.text(end, kEndSize);
  for (std::uint64_t k = 0; k < count; k++) {
    if (bytes.text(place, 4) != "PK\x01\x02") throw std::out_of_range("a damaged list of members");
    const std::uint64_t flags = bytes.integer(place + 8, 2);
    const std::uint64_t method = bytes.integer(place + 10, 2);
    const Member member{static_cast<std::uint32_t>(bytes.integer(place + 16, 4)),
                        bytes.integer(place + 24, 4)};
    const std::uint64_t name_size = bytes.integer(place + 28, 2);
    const std::string path = bytes.text(place + kEntrySize, name_size);
    add_member(path, static_cast<std::uint32_t>(method), (flags & 1) != 0, member);
    place += kEntrySize + name_size + bytes.integer(place + 30, 2) + bytes.integer(place + 32, 2);
  }
}

void ModelArchive::add_member(const std::string& path, std::uint32_t method, bool encrypted,
                              Member member) {
  const std::size_t slash = path.find('/');
  const std::string name = slash == std::string::npos ? "" : path.substr(slash + 1);
  if (method != 0 && method != 8)  // stored or deflated
    unexpected(name, "compression method " + std::to_string(method));
  if (encrypted) unexpected(name, "an encrypted member");
  std::uint64_t total = member.size;
  for (const auto& [other, known] : members_) {
    total += known.size;
    // torch's reader does not tell apart capital and small letters.
    if (lower(other) == lower(name)) unexpected(name, "a member twice");
  }
  const std::uint64_t limit = is_tensor(name)     ? kLargestFile
                              : name == kManifest ? kLargestManifest
                                                  : kLargestPart;
  if (member.size > limit || total > kLargestFile)
    throw std::runtime_error(file_ + ": " + name + ": expected at most " +
                             std::to_string(limit / kMegabyte) + " MB; found " +
                             std::to_string(member.size / kMegabyte) + " MB");
  members_[name] = member;
}

std::string ModelArchive::manifest_text() const {
  if (members_.count(kManifest) == 0)
    throw std::runtime_error(file_ + ": expected a complete glassml model; found another " +
                             "or a truncated file: it has no manifest.json. Write the file with " +
                             "'glassml export'");
  auto bytes = stream();
  try {
    caffe2::serialize::PyTorchStreamReader reader(&bytes);
    return verified(reader, kManifest);
  } catch (const c10::Error& error) {
    throw std::runtime_error(file_ + ": expected a complete glassml model; found another " +
                             "or a truncated file: " + reason(error));
  }
}

void ModelArchive::check(bool trust) const {
  auto bytes = stream();
  caffe2::serialize::PyTorchStreamReader reader(&bytes);
  std::set<std::string> names;
  for (const std::string& name : reader.getAllRecords()) names.insert(name);
  for (const auto& [name, member] : members_)
    if (names.erase(name) == 0) unexpected(name, "a list of members that torch does not read");
  if (!names.empty()) unexpected(*names.begin(), "a list of members that torch does not read");
  for (const auto& [name, member] : members_) {
    const std::string content = verified(reader, name);
    if (!trust) check_content(name, content);
  }
}

void ModelArchive::check_content(const std::string& name, const std::string& content) const {
  if (!is_known(name)) unexpected(name, "an unknown member");
  if (name.ends_with(".py")) check_source(content, file_);
  if (!name.ends_with("pkl")) return;
  const std::string folder = name.substr(0, name.rfind('.')) + "/";
  std::map<std::string, std::uint64_t> sizes;
  for (const auto& [other, member] : members_)
    if (other.starts_with(folder)) sizes[other.substr(folder.size())] = member.size;
  try {
    check_pickle(content, sizes);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(file_ + ": " + name + ": expected parameters that 'glassml " +
                             "export' wrote; found " + error.what() + ". Get the file again, or " +
                             "export the model again");
  }
}

/// The content of a member, if its checksum is right.
std::string ModelArchive::verified(caffe2::serialize::PyTorchStreamReader& reader,
                                   const std::string& name) const {
  if (reader.getRecordSize(name) != members_.at(name).size)
    unexpected(name, "a size that torch reads otherwise");
  auto [data, size] = reader.getRecord(name);
  std::string content(static_cast<const char*>(data.get()), size);
  if (checksum_of(content) != members_.at(name).checksum)
    throw std::runtime_error(file_ + ": " + name + ": expected the bytes that were " +
                             "written; found others (the checksum differs). The file is damaged. " +
                             kAdvice);
  return content;
}

void ModelArchive::unexpected(const std::string& name, const std::string& found) const {
  throw std::runtime_error(file_ + ": " + name + ": expected an archive that 'glassml " +
                           "export' wrote; found " + found + ". Get the file again, or export " +
                           "the model again");
}

}  // namespace glassml
