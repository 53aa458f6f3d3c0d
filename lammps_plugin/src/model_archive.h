// A model file in memory, checked before anything of it is loaded.
#pragma once

#include <cstdint>
#include <map>
#include <sstream>
#include <string>

namespace caffe2::serialize {
class PyTorchStreamReader;
}

namespace glassml {

/// All bytes of a model file, so that what was checked is what is loaded.
class ModelArchive {
 public:
  /// Reads the file and the list of its members.
  /// @throws std::runtime_error it cannot be read, is no archive, or too large
  explicit ModelArchive(const std::string& file);

  /// The bytes, for torch's reader.
  std::istringstream stream() const;

  /// A hash of all bytes.
  std::int64_t fingerprint() const;

  /// @throws std::runtime_error there is none, or it is damaged
  std::string manifest_text() const;

  /// Checks every member: torch's reader checks no checksums, takes any size that an archive
  /// states, and reads memory where a tensor claims to be. Python has the same rules
  /// (glassml/export/archive_check.py).
  /// @param trust the code may do anything, and members may have any name
  /// @throws std::runtime_error the file is damaged, or not what `glassml export` writes
  void check(bool trust) const;

 private:
  /// What the list of members states.
  struct Member {
    std::uint32_t checksum;
    std::uint64_t size;
  };

  void read_directory();
  void add_member(const std::string& path, std::uint32_t method, bool encrypted, Member member);
  std::string verified(caffe2::serialize::PyTorchStreamReader& reader,
                       const std::string& name) const;
  void check_content(const std::string& name, const std::string& content) const;
  [[noreturn]] void unexpected(const std::string& name, const std::string& found) const;

  std::string file_;
  std::string bytes_;
  std::map<std::string, Member> members_;  // by name, without the folder that holds all
};

}  // namespace glassml
