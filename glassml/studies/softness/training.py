"""A model file of softness from a trajectory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import sklearn
import torch

import glassml
from glassml.domain import domain_of
from glassml.errors import InputError, not_one_of
from glassml.export import save_model
from glassml.files import sha256_of
from glassml.models import Softness, build, material_lengths
from glassml.progress import SILENT, Progress
from glassml.provenance import DataFile, Hyperplane, Side, TrainingRecord
from glassml.studies.softness.evaluation import SoftnessTable, SpeciesSoftness, evaluated
from glassml.studies.softness.hyperplane import Plane, divide
from glassml.studies.softness.options import FEWEST, SoftnessOptions
from glassml.studies.softness.rearranging import Rearranging, find_rearranging
from glassml.studies.softness.sampling import Chosen, choose, part_of
from glassml.studies.softness.structure import Structures, read_structures

__all__ = ["train_softness"]


def train_softness(
    paths: Sequence[str | Path],
    output: str | Path,
    options: SoftnessOptions,
    progress: Progress = SILENT,
) -> SoftnessTable:
    """Learn softness from a trajectory in equilibrium and write a model file.

    Args:
        paths: files of one trajectory, in order.
        output: the model file; written whole or not at all.
        options: what to do.
        progress: of the frames.

    Returns:
        What was found, and how good the hyperplanes are in parts of the trajectory that were left
        out.

    Raises:
        InputError: a file cannot be read, the trajectory is too short, or too few particles
            rearrange.
    """
    files = [Path(path) for path in paths]
    found = find_rearranging(files, options, progress)
    chosen, without = _chosen(found, options)
    model = _model(found, options)
    looks: dict[int, list[np.ndarray]] = {}
    everyone = np.arange(found.first.n_particles)
    for one in chosen:
        for look in np.unique(one.look):
            looks.setdefault(int(look), []).append(one.particle[one.look == look])
        for look in one.tested:
            looks.setdefault(int(look), []).append(everyone[found.first.species == one.species])
    wanted = {int(found.looks[look]): np.unique(np.concatenate(of)) for look, of in looks.items()}
    structures = read_structures(files, options, model, wanted, progress)
    results = []
    with progress.stage("hyperplanes", len(chosen)) as advance:
        for one in chosen:
            results.append(_learnt(model, found, one, structures, wanted, options.parts))
            advance(1)
    for index, name in enumerate(model.species):
        if name in without:
            model.set_no_hyperplane(index)
    model.domain = domain_of(structures.systems)
    result = _result(files, found, results, without)
    save_model(model, output, training=_record(files, result, structures, options))
    return result


def _chosen(found: Rearranging, options: SoftnessOptions) -> tuple[list[Chosen], dict[str, str]]:
    """The particles of each species to learn from; why there is none of the others."""
    names = found.first.species_names
    for name in options.only or ():
        if name not in names:
            raise InputError(f"--only: {not_one_of(name, names)}")
    rng = np.random.default_rng(options.seed)
    chosen, without, counts = [], {}, []
    for index, name in enumerate(names):
        if options.only is not None and name not in options.only:
            without[name] = "not asked for (--only)"
            continue
        one = choose(found, index, options.particles, options.parts, rng)
        part = part_of(one.look[one.soft], len(found.looks), options.parts)
        fewest = int(np.bincount(part, minlength=options.parts).min())
        counts.append(fewest)
        if fewest >= FEWEST:
            chosen.append(one)
            continue
        without[name] = f"{fewest} soft particles in a part of the trajectory, not {FEWEST}"
        if options.only is not None:
            raise _too_few(found, name, fewest, options)
    if not chosen:
        raise _too_few(found, next(iter(without)), counts[0], options)
    return chosen, without


def _too_few(found: Rearranging, name: str, fewest: int, options: SoftnessOptions) -> InputError:
    largest = found.jumps.size.max(initial=0.0)
    return InputError(
        f"rearrangements of species {name}: expected {FEWEST} or more with hard particles in the "
        f"same frame, in each of {options.parts} parts of the trajectory (--parts); found "
        f"{fewest}. {len(found.jumps.frame)} of all species have p_hop above {found.threshold:g} "
        f"(--threshold), the largest is {largest:.3g}. Use a longer trajectory, a lower "
        "--training-threshold or a shorter --quiet"
    )


def _model(found: Rearranging, options: SoftnessOptions) -> Softness:
    first = found.first
    model = build(
        "softness",
        **material_lengths("softness", found.spacing),
        species=first.species_names,
        times=(found.tau,),
        length_unit=first.length_unit,
    )
    assert isinstance(model, Softness)
    model.positions = options.positions
    with torch.no_grad():  # random weights would look like an accuracy
        for parameter in model.parameters():
            parameter.zero_()
    return model.eval()


def _learnt(
    model: Softness,
    found: Rearranging,
    one: Chosen,
    structures: Structures,
    wanted: Mapping[int, np.ndarray],
    parts: int,
) -> SpeciesSoftness:
    """Set the hyperplane of a species; how good it is."""

    def columns(look: int, particles: np.ndarray) -> np.ndarray:
        frame = int(found.looks[look])
        return structures.columns[frame][np.searchsorted(wanted[frame], particles)]

    rows = np.concatenate(
        [columns(k, p[None]) for k, p in zip(one.look, one.particle, strict=True)]
    )
    part = part_of(one.look, len(found.looks), parts)
    time = found.looks[one.look] * found.interval
    divided = divide(rows, one.soft, time, part, found.quiet)
    _set(model, one.species, divided.plane)
    everyone = np.flatnonzero(found.first.species == one.species)
    soft = found.soft(found.threshold)
    tested = []
    for number, plane in enumerate(divided.without):
        here = one.tested[part_of(one.tested, len(found.looks), parts) == number]
        softness = [plane.softness(columns(look, everyone)) for look in here]
        tested.append((np.concatenate(softness), np.concatenate([soft[k, everyone] for k in here])))
    name = model.species[one.species]
    return evaluated(name, len(rows), divided.penalty, divided.accuracy, tested)


def _set(model: Softness, species: int, plane: Plane) -> None:
    weight, mean, scale = (torch.from_numpy(v) for v in (plane.weight, plane.mean, plane.scale))
    model.set_hyperplane(species, weight, plane.bias, mean, scale)


def _result(
    files: Sequence[Path],
    found: Rearranging,
    species: Sequence[SpeciesSoftness],
    without: dict[str, str],
) -> SoftnessTable:
    return SoftnessTable(
        files=tuple(file.name for file in files),
        frames=found.frames,
        interval=found.interval,
        tau=found.tau,
        threshold=found.threshold,
        training_threshold=found.training_threshold,
        quiet=found.quiet,
        measured=found.measured,
        unwrapping=found.unwrapping,
        rearrangements=len(found.jumps.frame),
        species=tuple(species),
        without=without,
    )


def _record(
    files: Sequence[Path], result: SoftnessTable, structures: Structures, options: SoftnessOptions
) -> TrainingRecord:
    settings = ("frames", "interval", "tau", "threshold", "training_threshold", "quiet")
    return TrainingRecord(
        data=tuple(
            DataFile(file=file.name, sha256=sha256_of(file), configurations=result.frames)
            for file in files
        ),
        train=Side.of(structures.known),
        recipe={name: getattr(result, name) for name in settings}
        | {"parts": options.parts, "seed": options.seed},
        hyperplanes=tuple(
            Hyperplane(
                species=one.species,
                particles=one.particles,
                penalty=one.penalty,
                accuracy=one.accuracy[0],
                accuracy_error=one.accuracy[1],
                parts=options.parts,
            )
            for one in result.species
        ),
        untrained=("propensity", *(f"softness of {name}" for name in result.without)),
        versions={"glassml": glassml.__version__, "scikit-learn": sklearn.__version__},
    )
