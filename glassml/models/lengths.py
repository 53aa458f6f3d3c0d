"""Lengths of models in units of the material.

Default lengths of models, such as the cutoff, are those published for the Kob-Andersen liquid, of
1.2 particles per sigma^3. For another material they are scaled with the mean spacing of particles,
density^(-1/3) (in two dimensions density^(-1/2)): so that a model sees as many neighbours there,
whatever the unit of length. At the default cutoff of 2 sigma these are 4/3 pi 2^3 1.2 = 40, in two
dimensions 14. Unlike the minima of g(r), the spacing follows from the density alone, without noise,
for any number of species.
"""

from __future__ import annotations

__all__ = ["REFERENCE_SPACING", "scaled_to"]

#: Mean spacing of the Kob-Andersen liquid [sigma], for which the published lengths are given.
REFERENCE_SPACING = 1.2 ** (-1 / 3)


def scaled_to(spacing: float, length: float) -> float:
    """A length [length] of the Kob-Andersen liquid for a material with this mean spacing [length].

    Three significant digits: so configurations at one density, up to fluctuations of 0.1 %, give
    the same length, and those of the Kob-Andersen liquid the published one.
    """
    return float(f"{length * spacing / REFERENCE_SPACING:.3g}")
