"""Models of inherent structures and of averaged positions together: `python combine.py WORK`.

WORK holds the results of recipe.py with both kinds of positions. Scores the mean of the two
predictions of every configuration, each by models that have not seen it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from held_out import HeldOut, Scores, score, table

TOGETHER = "average of a network and the ridge"


def combined(inherent: HeldOut, average: HeldOut, model: str = TOGETHER) -> Scores:
    """Scores of the mean of both predictions, for every number of windows of averaged positions."""
    if inherent.names != average.names:
        raise SystemExit("expected two results with the same configurations, in the same order")
    for name, one, other in zip(inherent.names, inherent.labels, average.labels, strict=True):
        if not np.array_equal(one, other):
            raise SystemExit(f"{name}: expected the same labels in both results; found others")
    for kind, result in (("inherent", inherent), ("average", average)):
        if (model, 1) not in result.predictions:
            raise SystemExit(
                f"{kind}: expected predictions of the {model}; found only ridge regression. Run "
                f"recipe.py --positions {kind} with networks (--seeds 1)"
            )
    of_inherent = inherent.predictions[model, 1]
    return {
        (f"inherent and averaged positions: {model}", windows): score(
            [(a + b) / 2 for a, b in zip(of_inherent, values, strict=True)],
            average.labels,
            average.species,
        )
        for (name, windows), values in average.predictions.items()
        if name == model
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, help="folder of the results of recipe.py")
    parser.add_argument("--inherent", default="inherent-default", help="folder of these models")
    parser.add_argument("--average", default="average-default", help="folder of these models")
    arguments = parser.parse_args()
    files = [
        arguments.work / name / "held_out.npz" for name in (arguments.inherent, arguments.average)
    ]
    for file in files:
        if not file.exists():
            parser.error(f"expected {file}, which recipe.py writes; found no such file")
    inherent, average = map(HeldOut.load, files)
    print(table(combined(inherent, average)))


if __name__ == "__main__":
    main()
