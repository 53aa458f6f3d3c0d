"""Facts on published Kob-Andersen data sets that their files do not hold.

Reduced units. Times: G. Jung et al., data record 10.5281/zenodo.10118191 (CC-BY-4.0); the seventh
of each temperature is the structural relaxation time.
"""

from __future__ import annotations

__all__ = ["KOB_ANDERSEN_DENSITY", "KOB_ANDERSEN_TIMES"]

KOB_ANDERSEN_DENSITY = 1.2

KOB_ANDERSEN_TIMES: dict[float, tuple[float, ...]] = {
    0.44: (0.13, 1.3, 13.0, 130.0, 412.0, 1300.0, 4120.0, 13000.0, 41200.0, 130000.0),
    0.50: (0.108, 0.434, 2.17, 6.86, 21.7, 68.6, 217.0, 686.0, 2170.0, 6860.0),
    0.56: (0.104, 0.33, 0.99, 1.65, 5.2, 16.5, 52.0, 165.0, 520.0, 1650.0),
    0.64: (0.032, 0.1, 0.165, 0.52, 1.65, 5.2, 16.5, 52.0, 165.0, 520.0),
}
