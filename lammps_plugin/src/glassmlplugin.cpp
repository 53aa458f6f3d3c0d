// Entry point of the plugin: registers the fix style glassml.
#include <cstdio>
#include <string>

#include "fix_glassml.h"
#include "lammps.h"
#include "library.h"
#include "modify.h"

namespace {

// LAMMPS' public plugin interface. Not every installation has its header lammpsplugin.h (the pip
// wheel lacks it), so the part in use is declared here, with the same order of members.
extern "C" {
typedef void* (*PluginCreator)(void* lmp, int narg, char** arg);

struct PluginDescription {
  const char* version;
  const char* style;
  const char* name;
  const char* info;
  const char* author;
  PluginCreator creator;
  void* handle;
};

typedef void (*PluginRegistrar)(PluginDescription* description, void* lmp);
}

void* create_fix(void* lmp, int narg, char** arg) {
  return new LAMMPS_NS::FixGlassML(static_cast<LAMMPS_NS::LAMMPS*>(lmp), narg, arg);
}

/// The memory layout of C++ classes differs between versions of LAMMPS: a plugin for another
/// version would crash. Only C functions may be called before this check.
bool fits_this_lammps(void* lmp) {
#ifdef GLASSML_LAMMPS_VERSION
  const int found = lammps_version(lmp);
  if (found == GLASSML_LAMMPS_VERSION) return true;
  if (lammps_extract_setting(lmp, "world_rank") == 0)
    std::fprintf(stderr,
                 "glassml plugin not loaded: expected LAMMPS version %d, for which it was built; "
                 "found version %d. Run 'glassml build'\n",
                 GLASSML_LAMMPS_VERSION, found);
  return false;
#else
  return lmp != nullptr;
#endif
}

const LAMMPS_NS::FixGlassML* find_fix(void* lmp, const char* id) {
  LAMMPS_NS::Modify* modify = static_cast<LAMMPS_NS::LAMMPS*>(lmp)->modify;
  return dynamic_cast<const LAMMPS_NS::FixGlassML*>(modify->get_fix_by_id(id));
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void* lmp, void* handle,
                                                                         void* registrar) {
  if (!fits_this_lammps(lmp)) return;
  PluginDescription fix{};
  fix.version = static_cast<LAMMPS_NS::LAMMPS*>(lmp)->version;
  fix.style = "fix";
  fix.name = "glassml";
  fix.info = "glassml: propensity of glass-forming liquids (fix glassml)";
  fix.author = "the glassml developers";
  fix.creator = create_fix;
  fix.handle = handle;
  reinterpret_cast<PluginRegistrar>(registrar)(&fix, lmp);
}

// ---- for glassml.lammps in Python, which finds these symbols in the process

/// @returns FixGlassML::description(), valid until the next call; nullptr if the fix is another one
extern "C" __attribute__((visibility("default"))) const char* glassml_describe_fix(void* lmp,
                                                                                   const char* id) {
  static std::string text;
  const LAMMPS_NS::FixGlassML* fix = find_fix(lmp, id);
  if (fix == nullptr) return nullptr;
  text = fix->description();
  return text.c_str();
}

/// FixGlassML::gather() of a fix that was described.
extern "C" __attribute__((visibility("default"))) void glassml_gather_fix(void* lmp, const char* id,
                                                                          double* rows) {
  find_fix(lmp, id)->gather(rows);
}
