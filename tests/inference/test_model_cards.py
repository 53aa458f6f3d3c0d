"""Model cards: they state the facts in the model file."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from glassml.data import Window
from glassml.errors import InputError
from glassml.export import save_model
from glassml.inference import (
    CARD_SECTIONS,
    card_facts,
    facts_in,
    shipped_models,
    summary_of,
    write_card,
)
from glassml.models import Committee, build
from glassml.pretrained import card_path, pretrained_names, pretrained_path
from glassml.provenance import (
    Accuracy,
    DataFile,
    KnownConfiguration,
    ReversedRuns,
    Side,
    TrainingRecord,
)
from glassml.scores import Score

ACCURACY = Accuracy(
    protocol="5-fold cross-validation over ten configurations; errors: bootstrap over them",
    scores=(
        Score(
            species="A",
            time=1.0,
            kind="mean",
            value=0.7712,
            error=0.0123,
            error_kind="bootstrap over configurations",
        ),
        Score(species="A", time=1.0, kind="all", value=0.8),
    ),
)
ORIGIN = {"system": ("Kob-Andersen 80:20",), "temperature": (0.44, 0.5), "n_runs": (32,)}


def _model(path: Path, training: TrainingRecord | None = None) -> Path:
    save_model(build("analytic", scalar_inputs=("charge",)), path, training=training)
    return path


def _named(*names: str) -> Side:
    return Side.of(KnownConfiguration(name=name) for name in names)


@pytest.mark.parametrize("name", pretrained_names())
def test_cards_of_shipped_models_agree_with_their_files(name: str) -> None:
    text = card_path(pretrained_path(name)).read_text(encoding="utf-8")
    assert facts_in(text) == card_facts(name), f"run: glassml models card {name}"
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == list(CARD_SECTIONS)
    assert "(to be written)" not in text
    assert all(len(part.strip()) > 50 for part in re.split(r"^## .*$", text, flags=re.M)[1:])


def test_every_card_belongs_to_a_model() -> None:
    names = pretrained_names()
    assert names
    folder = pretrained_path(names[0]).parent
    assert sorted(path.name for path in folder.glob("*.md")) == [f"{name}.md" for name in names]


def test_shipped_models_are_small_and_say_what_they_are_for() -> None:
    found = shipped_models()
    assert tuple(model.name for model in found) == pretrained_names()
    for model in found:
        assert model.kilobytes < 2000
        assert model.system
        assert model.temperature
        assert len(model.pearson) == len(model.times) > 0
        # The test data of a model need not have labels at all of its times.
        assert set(model.pearson) - {"not measured"}


def test_accuracy_with_error_bars(tmp_path: Path) -> None:
    model = _model(tmp_path / "m.pt", TrainingRecord(accuracy=ACCURACY, origin=ORIGIN))
    summary = summary_of(model)
    assert summary.pearson == ("0.771 ± 0.012", "not measured")  # of the two times
    assert (summary.system, summary.temperature) == ("Kob-Andersen 80:20", "0.44, 0.5")
    assert summary.input == "thermal positions, charge"
    facts = card_facts(model)
    assert "| Pearson `mean`, A, t = 1 | 0.771 ± 0.012 |" in facts
    assert "| Pearson `all`, A, t = 1 | 0.800 |" in facts
    assert f"| measured on | {ACCURACY.protocol} |" in facts
    assert hashlib.sha256(model.read_bytes()).hexdigest() in facts


def test_metrics_of_the_run_are_called_optimistic(tmp_path: Path) -> None:
    def side(value: float) -> Side:
        return Side(number=1, scores=(Score(species="A", time=1.0, kind="mean", value=value),))

    model = _model(tmp_path / "m.pt", TrainingRecord(train=side(0.9), validation=side(0.5)))
    facts = card_facts(model)
    assert facts.count("| Pearson ") == 1
    assert "| Pearson `mean`, A, t = 1 | 0.500 |" in facts
    assert "also chose the epoch: slightly optimistic |" in facts
    assert summary_of(model).pearson == ("0.500", "not measured")


def test_nothing_is_said_where_nothing_was_measured(tmp_path: Path) -> None:
    model = _model(tmp_path / "m.pt")
    assert summary_of(model).pearson == ("not measured", "not measured")
    assert "| accuracy | not measured |" in card_facts(model)


def test_a_committee_lists_the_data_of_all_members(tmp_path: Path) -> None:
    members = tuple(
        TrainingRecord(
            data=(
                DataFile(file=f"{name}.h5", sha256=name * 64, configurations=9),
                DataFile(file="back.h5", sha256="c" * 64, configurations=9, role="reversed runs"),
            ),
            origin=ORIGIN,
            train=Side(number=8),
        )
        for name in "ab"
    )
    models = [build("analytic"), build("analytic", cutoff=1.5)]
    path = tmp_path / "c.pt"
    save_model(Committee(models), path, training=TrainingRecord(members=members))
    facts = card_facts(path)
    assert "| model | committee of 2 analytic |" in facts
    assert all(f"| data | {n}.h5, SHA-256 `{n * 64}` |" in facts for n in "ab")
    assert facts.count(f"| reversed runs | back.h5, SHA-256 `{'c' * 64}` |") == 1
    assert "| trained on | 8 configurations, 32 runs behind each label |" in facts


def test_a_committee_of_folds_says_what_all_members_know(tmp_path: Path) -> None:
    members = tuple(
        TrainingRecord(
            origin=ORIGIN,
            train=_named(*(name for name in "abc" if name != held_out)),
            validation=_named(held_out),
            reversed_runs=ReversedRuns(number=64),
        )
        for held_out in "abc"
    )
    path = tmp_path / "c.pt"
    models = [build("analytic", cutoff=cutoff) for cutoff in (1.5, 1.6, 1.7)]
    save_model(Committee(models), path, training=TrainingRecord(members=members))
    assert (
        "| trained on | 2 configurations per member, 3 in all, and 64 of their runs backwards, "
        "32 runs behind each label |"
    ) in card_facts(path)
    assert "validated on" not in card_facts(path)  # the other members were trained on them
    save_model(models[0], path, training=members[0])
    assert "| trained on | 2 configurations, and 64 of their runs" in card_facts(path)
    assert "| validated on | 1 configurations |" in card_facts(path)


def test_the_window_of_averages(tmp_path: Path) -> None:
    model = build("analytic", scalar_inputs=("vibration", "average_energy"))
    model.positions, model.window = "average", Window(0.1, 20)
    save_model(model, tmp_path / "m.pt")
    facts = card_facts(tmp_path / "m.pt")
    assert "| input | average positions, vibration, average_energy |" in facts
    assert "| window | 20 samples every 0.1 |" in facts
    assert (
        "| structure | average positions (means over the window), average_energy (mean of energies "
        "over the window) |"
    ) in facts
    assert "| short-time dynamics | vibration |" in facts
    model = build("analytic")
    model.positions, model.window = "average", Window(0.1, 20)
    save_model(model, tmp_path / "m.pt")
    assert "| short-time dynamics | none |" in card_facts(tmp_path / "m.pt")
    save_model(build("analytic"), tmp_path / "m.pt")
    assert "window" not in card_facts(tmp_path / "m.pt")


def test_a_card_is_begun_and_renewed_without_touching_what_people_wrote(tmp_path: Path) -> None:
    model = _model(tmp_path / "my.model.pt")
    card = write_card(model)
    assert card == tmp_path / "my.model.md"
    begun = card.read_text()
    assert begun.startswith("# my.model\n")
    assert all(f"\n## {name}\n" in begun for name in CARD_SECTIONS)
    before, _, after = begun.replace("(to be written)", "By hand.").partition(card_facts(model))
    card.write_text(before + card_facts(model) + after)
    _model(model, TrainingRecord(accuracy=ACCURACY))  # another file of the same name
    write_card(model)
    assert card.read_text() == before + card_facts(model) + after
    assert "0.771" in card.read_text()


def test_a_page_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    model = _model(tmp_path / "m.pt")
    (tmp_path / "m.md").write_text("My notes.\n")
    with pytest.raises(InputError, match=r"m\.md: expected a model card .*; found none"):
        write_card(model)
    assert (tmp_path / "m.md").read_text() == "My notes.\n"
