"""The datasets that a simulation writes, with a complete description of how they were made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from glassml.data import Configuration, DatasetWriter, Window
from glassml.simulation.cell_surfaces import with_surface
from glassml.simulation.exchange import frame_of
from glassml.simulation.pipeline.average_tasks import with_averages
from glassml.simulation.pipeline.campaign import Campaign, Labelled
from glassml.simulation.pipeline.liquid import Liquid
from glassml.simulation.system import DIAMETER
from glassml.work import Store, Task

__all__ = ["settings_of", "warnings_of", "write_datasets"]

# Averages over the runs that `Configuration` keeps in addition to the propensity.
_STATISTICS = ("square_displacement", "mean_displacement", "propensity_halves")
# Results of evaluators that are vectors [..., 3] in LAMMPS' frame.
_VECTORS = {"displacement", "mean_displacement", "final_displacements"}
_VECTORS |= {"shift", "path", "window_shift", "window_path"}
# Settings that determine where and how fast a simulation runs, but not its result.
_LOCAL = {"output", "workers", "cluster", "lammps"}


def write_datasets(campaign: Campaign, output: Path, store: Store) -> tuple[Path, ...]:
    """Write one dataset for each temperature, as labels of one dataset share their times.

    Args:
        campaign: all stages are done.
        output: folder of the datasets, called ``T<temperature>.h5``.
        store: of the simulation.

    Raises:
        InputError: a file cannot be written.
    """
    paths = []
    for temperature in campaign.liquid.config.temperatures:
        path = output / f"T{temperature:g}.h5"
        description = _description(campaign, temperature, store)
        with DatasetWriter(path, description=description) as writer:
            for labelled in _at(campaign, temperature):
                writer.add(_configuration(campaign, labelled, store))
        paths.append(path)
    return tuple(paths)


def settings_of(liquid: Liquid) -> dict[str, Any]:
    """The settings that determine a dataset, without those that are null."""
    settings = liquid.resolved().model_dump(mode="json", exclude=_LOCAL)
    if liquid.config.system.include is not None:
        # The description holds its commands.
        settings["system"]["include"] = liquid.config.system.include.name
    if liquid.config.start is not None:
        settings["start"]["files"] = [Path(name).name for name in liquid.config.start.files]
    if settings.get("quench") and not settings["quench"]["voronoi"]:
        del settings["quench"]["voronoi"]  # as in datasets of before there was this setting
    plain: dict[str, Any] = _without_none(settings)
    return plain


def warnings_of(
    campaign: Campaign, store: Store | None, temperature: float | None = None
) -> list[str]:
    """Warnings for users of the data.

    Args:
        campaign: state of the simulation.
        store: store of the simulation; None: the structures do not exist yet.
        temperature: temperature of one dataset; None: all temperatures.
    """
    found = [
        f"T = {e.temperature:g}: not equilibrated: {'; '.join(e.problems)}"
        for e in campaign.equilibria
        if e.problems and temperature in (None, e.temperature)
    ]
    found += _other_temperature(campaign.liquid)
    quench = campaign.liquid.config.quench
    if quench is None or store is None:
        return found
    for labelled in campaign.configurations:
        if temperature not in (None, labelled.sample.temperature):
            continue
        force = float(_load(labelled.structure, store)["largest_force"])
        if force > campaign.liquid.force_tolerance:
            found.append(
                f"{labelled.sample.name}: the quench has not converged: the largest force is "
                f"{force:.2g}, above {campaign.liquid.force_tolerance:g}"
            )
    return found


def _other_temperature(liquid: Liquid) -> list[str]:
    """A warning if given configurations state another temperature than that of the simulation."""
    found = {c.provenance["temperature"] for c in liquid.given if "temperature" in c.provenance}
    temperature = liquid.config.temperatures[0]
    others = ", ".join(f"{value:g}" for value in sorted(found) if value != temperature)
    if not others:
        return []
    return [
        f"T = {temperature:g}: given configurations state the temperature {others}, so they are "
        "not in equilibrium at that of the simulation"
    ]


def _at(campaign: Campaign, temperature: float) -> list[Labelled]:
    return [c for c in campaign.configurations if c.sample.temperature == temperature]


def _description(campaign: Campaign, temperature: float, store: Store) -> dict[str, Any]:
    liquid = campaign.liquid
    density = _number_density(campaign, temperature, store)
    return {
        "made_by": "glassml simulate",
        "lammps": liquid.program.version,
        **({"ranks": liquid.program.ranks} if liquid.program.ranks > 1 else {}),
        **({"start": _start(liquid)} if liquid.given else {}),
        "warnings": warnings_of(campaign, store, temperature),
        "system": {
            "name": liquid.system.name,
            "units": liquid.system.units,
            **({"dimension": 2} if liquid.system.dimension == 2 else {}),
            "species": list(liquid.system.species_names),
            "particles": liquid.species_counts,
            **_types_of(liquid),
            "masses": list(liquid.system.masses),
            "commands": liquid.system.commands,
            "citation": liquid.system.citation,
        },
        "temperature": temperature,
        "timestep": liquid.timestep,
        "number_density": density,
        "initial_number_density": liquid.density,  # with npt not that of the configurations
        "equilibration": campaign.equilibrium(temperature).record(),
        "settings": settings_of(liquid),
        "energies": "potential_energy and inherent_energy are half of the sum of V(r_ij) over j",
    }


def _types_of(liquid: Liquid) -> dict[str, Any]:
    """The types of a polydisperse system."""
    system = liquid.system
    if not system.diameters:
        return {}
    return {
        "particles_of_types": list(liquid.counts),
        "type_species": list(system.species_of_types),
        "diameters": list(system.diameters),
    }


def _start(liquid: Liquid) -> dict[str, Any]:
    """Which configurations the dataset begins from."""
    start = liquid.config.start
    sources = {(str(c.provenance["source"]), c.provenance["source_sha256"]) for c in liquid.given}
    return {
        "files": [{"name": name, "sha256": checksum} for name, checksum in sorted(sources)],
        "index": start.index if start else "",
    }


def _number_density(campaign: Campaign, temperature: float, store: Store) -> float:
    """Mean number density of the configurations [1 / length^d]."""
    liquid = campaign.liquid
    if liquid.given:
        return liquid.density
    edges = [
        np.diag(_load(labelled.structure, store)["cell"])[: liquid.system.dimension]
        for labelled in _at(campaign, temperature)
    ]
    return float(np.mean([liquid.n_particles / np.prod(lengths) for lengths in edges]))


def _configuration(campaign: Campaign, labelled: Labelled, store: Store) -> Configuration:
    liquid, sample = campaign.liquid, labelled.sample
    structure = _structure(labelled, liquid, store)
    tau = campaign.equilibrium(sample.temperature).tau_alpha
    provenance: dict[str, str | int | float] = {
        "temperature": sample.temperature,
        **({"replica": sample.replica} if sample.given is None else _source(sample.given)),
        "lammps": liquid.program.version,
        "system": liquid.system.name,
        "citation": liquid.system.citation,
        **({} if tau is None else {"tau_alpha": tau}),
    }
    fields: dict[str, Any] = {"scalars": {"potential_energy": structure["potential_energy"]}}
    if DIAMETER in structure:
        fields["scalars"][DIAMETER] = structure[DIAMETER]
    if "inherent" in structure:
        fields["structures"] = {"inherent": structure["inherent"]}
        fields["scalars"]["inherent_energy"] = structure["inherent_energy"]
        provenance["quench_largest_force"] = float(structure["largest_force"])
    if labelled.cage is not None and liquid.config.cage is not None:
        cage = _vectors(_load(labelled.cage, store), labelled, liquid)
        centres = structure["positions"] + cage["displacement"]
        fields["structures"] = {**fields.get("structures", {}), "cage": centres}
        provenance["cage_radius"] = liquid.cage_radius
        provenance["cage_error"] = float(cage["error"])
    if labelled.labels is not None:
        labels = _vectors(_load(labelled.labels, store), labelled, liquid)
        fields["times"] = np.array(labelled.steps) * liquid.timestep
        fields["propensity"] = labels["propensity"]
        fields["statistics"] = {name: labels[name] for name in _STATISTICS}
        fields["n_runs"] = liquid.config.ensemble.runs if liquid.config.ensemble else None
        if "final_displacements" in labels:
            final = structure["positions"] + labels["final_displacements"]
            fields["final_positions"] = final.astype(np.float32)
    configuration = Configuration(
        positions=structure["positions"],
        cell=structure["cell"],
        pbc=(True, True, liquid.system.dimension == 3)
        if sample.given is None
        else sample.given.pbc,
        species=structure["species"],
        species_names=liquid.system.species_names,
        length_unit=liquid.system.length_unit,
        name=sample.name,
        provenance=provenance,
        **fields,
    )
    if liquid.voronoi_radii is not None:
        configuration = with_surface(configuration, liquid.voronoi_radii)
    return _with_windows(configuration, campaign, labelled, store)


def _with_windows(
    configuration: Configuration, campaign: Campaign, labelled: Labelled, store: Store
) -> Configuration:
    """Add averages over windows of a short run or of the isoconfigurational runs, if requested."""
    average = campaign.liquid.config.average
    if average is None:
        return configuration
    window = Window(campaign.liquid.sampling_interval, average.samples)
    if labelled.average is not None:
        arrays = _vectors(_load(labelled.average, store), labelled, campaign.liquid)
        return with_averages(configuration, arrays, window)
    if labelled.labels is not None:
        arrays = _vectors(_load(labelled.labels, store), labelled, campaign.liquid)
        return with_averages(configuration, arrays, window, "window_")
    return configuration


def _structure(labelled: Labelled, liquid: Liquid, store: Store) -> dict[str, np.ndarray]:
    """Positions, cell, species and energies; of a given configuration its own images and frame."""
    arrays, given = _load(labelled.structure, store), labelled.sample.given
    if given is None:
        if liquid.system.dimension == 2:
            arrays["cell"][2, 2] = arrays["cell"][0, 0]  # as in published data; without effect
        types = arrays["species"]
        if liquid.system.diameters:
            arrays[DIAMETER] = np.array(liquid.system.diameters)[types]
        return {**arrays, "species": np.array(liquid.system.species_of_types)[types]}
    if "inherent" in arrays:
        path = frame_of(given, liquid.system).from_lammps(arrays["inherent"] - arrays["positions"])
        arrays["inherent"] = given.positions + path
    arrays |= {"positions": given.positions, "cell": given.cell, "species": given.species}
    return {**arrays, **given.scalars}


def _vectors(
    arrays: dict[str, np.ndarray], labelled: Labelled, liquid: Liquid
) -> dict[str, np.ndarray]:
    """Arrays of an evaluator, with vectors in the frame of a given configuration."""
    given = labelled.sample.given
    if given is None:
        return arrays
    frame = frame_of(given, liquid.system)
    turned = {name: frame.from_lammps(arrays[name]) for name in _VECTORS & set(arrays)}
    return {**arrays, **turned}


def _source(given: Configuration) -> dict[str, str | int | float]:
    return {name: given.provenance[name] for name in ("source", "source_sha256", "source_frame")}


def _load(task: Task, store: Store) -> dict[str, np.ndarray]:
    with np.load(store.path(task, task.outputs[0])) as arrays:
        return dict(arrays)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return value
