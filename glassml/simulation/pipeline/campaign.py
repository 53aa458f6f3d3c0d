"""The order of the stages: from a lattice to equilibrated, quenched and labelled configurations."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from glassml.errors import ConfigError
from glassml.simulation.pipeline.average_tasks import average_task, check_average
from glassml.simulation.pipeline.equilibrium import Equilibrium, equilibrate
from glassml.simulation.pipeline.given_equilibrium import given_equilibrium
from glassml.simulation.pipeline.given_tasks import given_sample
from glassml.simulation.pipeline.liquid import Liquid, ensemble_steps, uses_tau
from glassml.simulation.pipeline.simulate_config import STAGES
from glassml.simulation.pipeline.stage_runner import StagePlanner
from glassml.simulation.pipeline.stage_tasks import (
    Chain,
    LiquidSample,
    cage_task,
    label_tasks,
    melt,
    structure_task,
)
from glassml.work import Task

__all__ = ["Campaign", "Labelled", "run_campaign"]


@dataclass
class Labelled:
    """A configuration with the tasks whose outputs are its data.

    Attributes:
        sample: its name and state.
        structure: task with positions and energies.
        cage: task with the cage centres; None without cage centres.
        average: task with averages over a short run; None without one.
        labels: task with the averages over the ensemble; None without an ensemble.
        steps: time steps at which the labels are measured.
    """

    sample: LiquidSample
    structure: Task
    cage: Task | None = None
    average: Task | None = None
    labels: Task | None = None
    steps: tuple[int, ...] = ()


@dataclass
class Campaign:
    """The state of a simulation.

    Attributes:
        liquid: what is simulated.
        equilibria: one per temperature.
        configurations: those of all temperatures.
    """

    liquid: Liquid
    equilibria: list[Equilibrium] = field(default_factory=list)
    configurations: list[Labelled] = field(default_factory=list)

    def equilibrium(self, temperature: float) -> Equilibrium:
        """The outcome of the equilibration at a temperature."""
        return next(e for e in self.equilibria if e.temperature == temperature)


def run_campaign(liquid: Liquid, runner: StagePlanner, until: str = STAGES[-1]) -> Campaign:
    """Run the stages up to one of them; finished tasks are not repeated.

    Args:
        liquid: what is simulated.
        runner: runs the tasks, or only collects them.
        until: the last stage.

    Raises:
        ConfigError: tau_alpha is needed and was not reached.
        GlassMLError: a task failed.
    """
    check_average(liquid)
    campaign = Campaign(liquid)
    last = STAGES.index(until)
    if liquid.given:
        _take_given(campaign, last, runner)
    else:
        _make(campaign, last, runner)
    if last >= STAGES.index("structure"):
        found = campaign.configurations
        parts = [task for c in found for task in (c.structure, c.cage, c.average)]
        tasks = [task for task in parts if task is not None]
        runner.run(tasks, tasks, f"structures of {len(found)} configurations")
    if last >= STAGES.index("ensemble") and liquid.config.ensemble is not None:
        _label(campaign, runner)
    return campaign


def _make(campaign: Campaign, last: int, runner: StagePlanner) -> None:
    """Melt and equilibrate the liquid, and take configurations."""
    liquid = campaign.liquid
    chains = _melt(liquid, runner)
    ends: dict[float, list[Chain]] = {}
    if last >= STAGES.index("equilibrate"):
        for temperature in liquid.config.temperatures:
            reached = equilibrate(liquid, chains, temperature, runner.require, runner.store)
            runner.say(_summary(reached))
            campaign.equilibria.append(reached)
            ends[temperature] = [replace(chain) for chain in chains]
    if last >= STAGES.index("sample"):
        _sample(campaign, ends, runner)


def _take_given(campaign: Campaign, last: int, runner: StagePlanner) -> None:
    """Take the given configurations, and check their equilibrium if this is asked for."""
    liquid = campaign.liquid
    if last < STAGES.index("equilibrate"):
        return
    pairs = [given_sample(liquid, index) for index in range(len(liquid.given))]
    tasks = [task for _, task in pairs]
    runner.run(tasks, tasks, f"read {len(tasks)} configurations")
    found = given_equilibrium(liquid, tasks, runner)
    campaign.equilibria.append(found)
    if found.windows:
        runner.say(_summary(found))
    if last >= STAGES.index("sample"):
        campaign.configurations += [_labelled(liquid, sample) for sample, _ in pairs]


def _labelled(liquid: Liquid, sample: LiquidSample) -> Labelled:
    """A configuration with the tasks of its structure."""
    cage = liquid.config.cage
    return Labelled(
        sample,
        structure_task(liquid, sample),
        None if cage is None else cage_task(liquid, sample, cage),
        average_task(liquid, sample),
    )


def _melt(liquid: Liquid, runner: StagePlanner) -> list[Chain]:
    chains, tasks, wanted = [], [], []
    for replica in range(1, liquid.config.replicas + 1):
        chain, made = melt(liquid, replica)
        chains.append(chain)
        tasks += made
        wanted.append(made[-1])
    runner.run(wanted, tasks, f"melt at T = {liquid.melt_temperature:g}")
    return chains


def _sample(campaign: Campaign, ends: dict[float, list[Chain]], runner: StagePlanner) -> None:
    """Independent configurations: the ends of the equilibration runs, then later states."""
    liquid = campaign.liquid
    tasks: list[Task] = []
    wanted: list[Task] = []
    for temperature, chains in ends.items():
        tau = _tau(campaign.equilibrium(temperature), liquid)
        steps = liquid.steps(liquid.config.separation.time(tau), 0)
        samples = []
        for index in range(liquid.n_configurations):
            chain = chains[index % len(chains)]
            if index >= len(chains):
                name = f"{chain.prefix(temperature)}-sample{index // len(chains)}"
                pieces = chain.extend("sample", name, steps)
                tasks += pieces
                wanted.append(pieces[-1])
            name = f"T{temperature:g}-{index + 1:04d}"
            samples.append(LiquidSample(name, temperature, chain.replica, chain.state))
        campaign.configurations += [_labelled(liquid, sample) for sample in samples]
    runner.run(wanted, tasks, f"sample {len(campaign.configurations)} configurations")


def _label(campaign: Campaign, runner: StagePlanner) -> None:
    liquid, ensemble = campaign.liquid, campaign.liquid.config.ensemble
    assert ensemble is not None, "called for labelled datasets only"
    tasks: list[Task] = []
    for labelled in campaign.configurations:
        tau = _tau(campaign.equilibrium(labelled.sample.temperature), liquid)
        labelled.steps = ensemble_steps(ensemble, liquid.timestep, tau)
        runs, labelled.labels = label_tasks(liquid, labelled.sample, labelled.steps)
        tasks += [*runs, labelled.labels]
    wanted = [c.labels for c in campaign.configurations if c.labels is not None]
    runner.run(wanted, tasks, f"{ensemble.runs} runs each of {len(wanted)} configurations")


def _tau(equilibrium: Equilibrium, liquid: Liquid) -> float | None:
    """tau_alpha [time]; None if it is not known and not needed.

    Raises:
        ConfigError: it is needed and not known.
    """
    setting = uses_tau(liquid.config)
    if equilibrium.tau_alpha is None and setting is not None:
        budget = liquid.budget * liquid.timestep
        raise ConfigError(
            f"T = {equilibrium.temperature:g}: {setting}: expected a time, as tau_alpha was not "
            f"reached within the budget of {budget:g}; found multiples of it. Raise "
            f"equilibration.budget, or give a time. Finished work is kept "
            f"({'; '.join(equilibrium.problems)})"
        )
    return equilibrium.tau_alpha


def _summary(found: Equilibrium) -> str:
    last = found.windows[-1]
    tau = "not reached" if found.tau_alpha is None else f"{found.tau_alpha:.3g}"
    text = (
        f"T = {found.temperature:g}: tau_alpha {tau}, energy per particle {last.energy:.4f}; "
        f"{len(found.windows)} windows, the last {last.length:g} long: "
    )
    if found.is_equilibrated:
        return text + "equilibrated"
    return text + "warning: not equilibrated: " + "; ".join(found.problems)
