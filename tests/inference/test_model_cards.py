"""Model cards: what they say of a model is what its file says."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from glassml.errors import InputError, ModelFileError
from glassml.export import accuracy_of, read_manifest, save_model
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

ACCURACY = {
    "protocol": "5-fold cross-validation over ten configurations; errors: bootstrap over them",
    "pearson": [
        {"species": "A", "time": 1.0, "kind": "mean", "value": 0.7712, "error": 0.0123},
        {"species": "A", "time": 1.0, "kind": "all", "value": 0.8},
    ],
}
ORIGIN = {"system": ["Kob-Andersen 80:20"], "temperature": [0.44, 0.5], "n_runs": [32]}


def _model(path: Path, **training: object) -> Path:
    save_model(build("analytic", scalar_inputs=("charge",)), path, training=training)
    return path


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
    model = _model(tmp_path / "m.pt", accuracy=ACCURACY, origin=ORIGIN)
    summary = summary_of(model)
    assert summary.pearson == ("0.771 ± 0.012", "not measured")  # of the two times
    assert (summary.system, summary.temperature) == ("Kob-Andersen 80:20", "0.44, 0.5")
    assert summary.input == "thermal positions, charge"
    facts = card_facts(model)
    assert "| Pearson `mean`, A, t = 1 | 0.771 ± 0.012 |" in facts
    assert "| Pearson `all`, A, t = 1 | 0.800 |" in facts
    assert f"| measured on | {ACCURACY['protocol']} |" in facts
    assert hashlib.sha256(model.read_bytes()).hexdigest() in facts


def test_metrics_of_the_run_are_called_optimistic(tmp_path: Path) -> None:
    metrics = {
        "train/pearson_mean/A/t=1": 0.9,
        "validation/pearson_mean": 0.5,
        "validation/pearson_mean/A/t=1": 0.5,
        "validation/pearson_mean/B/t=1": float("nan"),
    }
    accuracy = accuracy_of(read_manifest(_model(tmp_path / "m.pt", metrics=metrics)))
    assert [(c.species, c.kind, c.value, c.error) for c in accuracy.pearson] == [
        ("A", "mean", 0.5, None)
    ]
    assert "slightly optimistic" in accuracy.protocol


def test_nothing_is_said_where_nothing_was_measured(tmp_path: Path) -> None:
    model = _model(tmp_path / "m.pt")
    assert accuracy_of(read_manifest(model)) is None
    assert summary_of(model).pearson == ("not measured", "not measured")
    assert "| accuracy | not measured |" in card_facts(model)


def test_a_committee_lists_the_data_of_all_members(tmp_path: Path) -> None:
    data = [[{"file": f"{name}.h5", "sha256": name * 64}] for name in "ab"]
    members = [{"data": d, "origin": ORIGIN, "train_configurations": 8} for d in data]
    models = [build("analytic"), build("analytic", cutoff=1.5)]
    path = tmp_path / "c.pt"
    save_model(Committee(models), path, training={"members": members})
    facts = card_facts(path)
    assert "| model | committee of 2 analytic |" in facts
    assert all(f"| data | {n}.h5, SHA-256 `{n * 64}` |" in facts for n in "ab")
    assert "| trained on | 8 configurations, 32 runs behind each label |" in facts


def test_a_committee_of_folds_says_what_all_members_know(tmp_path: Path) -> None:
    origin = {**ORIGIN, "n_runs": [1, 32]}  # a reversed run has the label of one run
    members = [
        {
            "origin": origin,
            "train_configurations": 2,
            "reversed_runs": 64,
            "validation_configurations": 1,
            "train": [name for name in "abc" if name != held_out],
            "validation": [held_out],
        }
        for held_out in "abc"
    ]
    path = tmp_path / "c.pt"
    models = [build("analytic", cutoff=cutoff) for cutoff in (1.5, 1.6, 1.7)]
    save_model(Committee(models), path, training={"members": members})
    assert (
        "| trained on | 2 configurations a member, 3 in all, and 64 of their runs backwards, "
        "32 runs behind each label |"
    ) in card_facts(path)
    assert "validated on" not in card_facts(path)  # the other members were trained on them
    save_model(models[0], path, training=members[0])
    assert "| trained on | 2 configurations, and 64 of their runs" in card_facts(path)
    assert "| validated on | 1 configurations |" in card_facts(path)


def test_a_card_is_begun_and_renewed_without_touching_what_people_wrote(tmp_path: Path) -> None:
    model = _model(tmp_path / "my.model.pt")
    card = write_card(model)
    assert card == tmp_path / "my.model.md"
    begun = card.read_text()
    assert begun.startswith("# my.model\n")
    assert all(f"\n## {name}\n" in begun for name in CARD_SECTIONS)
    before, _, after = begun.replace("(to be written)", "By hand.").partition(card_facts(model))
    card.write_text(before + card_facts(model) + after)
    _model(model, accuracy=ACCURACY)  # another file of the same name
    write_card(model)
    assert card.read_text() == before + card_facts(model) + after
    assert "0.771" in card.read_text()


def test_a_page_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    model = _model(tmp_path / "m.pt")
    (tmp_path / "m.md").write_text("My notes.\n")
    with pytest.raises(InputError, match=r"m\.md: expected a model card .*; found none"):
        write_card(model)
    assert (tmp_path / "m.md").read_text() == "My notes.\n"


@pytest.mark.parametrize(
    ("accuracy", "field"),
    [
        ({"pearson": []}, r"training\.accuracy\.protocol"),
        ({**ACCURACY, "pearson": [{**ACCURACY["pearson"][0], "value": 7}]}, r"pearson\.0\.value"),
        ({**ACCURACY, "pearson": [{**ACCURACY["pearson"][0], "kind": "x"}]}, r"pearson\.0\.kind"),
    ],
)
def test_an_accuracy_of_another_form_is_named(tmp_path: Path, accuracy: dict, field: str) -> None:
    model = _model(tmp_path / "m.pt", accuracy=accuracy)
    with pytest.raises(ModelFileError, match=field):
        summary_of(model)
