// The pickles in a model file, read without building anything of what they describe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace glassml {

/// torch takes the place and the size of every tensor from a pickle, without a comparison with the
/// bytes that are there. The same rules are in glassml/export/pickle_check.py.
/// @param content bytes of the pickle
/// @param sizes number of bytes of each of its storages by name
/// @throws std::runtime_error with what was found: classes that models do not need, tensors without
///         their bytes, values nested too deeply, or damage
void check_pickle(std::string_view content, const std::map<std::string, std::uint64_t>& sizes);

}  // namespace glassml
