"""The mean of the predictions of several models: `python mean.py DATASET MODEL MODEL ...`.

Models of thermal and of averaged positions see different things, and their mean is more accurate
than each of them at long times. In LAMMPS it takes a fix for each model, and
`variable both atom (f_one[4]+f_other[4])/2`.

Prints the Pearson coefficient (`mean`) of each model and of their mean, for every species and time
that all models and the labels of DATASET share.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from glassml.analysis.correlation import pearson_mean
from glassml.data import Dataset
from glassml.inference import Predictor
from glassml.physics import column_of


def coefficients(
    dataset: Dataset, predictors: Sequence[Predictor], shared: Sequence[float]
) -> list[np.ndarray]:
    """Coefficients [species, time] of each model, then of their mean, at the shared times."""
    of_labels, *of_models = [
        [column_of(time, times) for time in shared]
        for times in (dataset.common_times(), *(one.manifest.times for one in predictors))
    ]
    labels, species, found = [], [], [[] for _ in (*predictors, "mean")]
    names = predictors[0].manifest.species
    for configuration in dataset:
        values = [
            predictor.predict([configuration])[0]["propensity"][:, used]
            for predictor, used in zip(predictors, of_models, strict=True)
        ]
        for kept, value in zip(found, [*values, np.mean(values, axis=0)], strict=True):
            kept.append(value)
        labels.append(np.asarray(configuration.propensity)[:, of_labels])
        own = np.array(configuration.species_names)[configuration.species]
        species.append(np.array([names.index(name) for name in own]))
    return [pearson_mean(values, labels, species, len(names)) for values in found]


def shared_times(dataset: Dataset, predictors: Sequence[Predictor]) -> list[float]:
    """The times of the labels that every model predicts."""
    shared = [
        float(time)
        for time in dataset.common_times()
        if all(column_of(time, one.manifest.times) is not None for one in predictors)
    ]
    if not shared:
        raise SystemExit(f"{dataset.path}: expected a time that all models predict; found none")
    return shared


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("dataset")
    parser.add_argument("models", nargs="+", help="files, or names of shipped models")
    options = parser.parse_args(arguments)
    predictors = [Predictor(model, device="cpu") for model in options.models]
    with Dataset(options.dataset) as dataset:
        times = shared_times(dataset, predictors)
        tables = coefficients(dataset, predictors, times)
    print("times:", *(f"{time:g}" for time in times))
    for model, table in zip([*options.models, "mean"], tables, strict=True):
        for name, values in zip(predictors[0].manifest.species, table, strict=True):
            print(f"{model}, {name}:", *(f"{value:.3f}" for value in values))


if __name__ == "__main__":
    main()
