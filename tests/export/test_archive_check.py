"""What a model file holds is checked before anything of it is loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile_archives import HOSTILE_ARCHIVES, flipped, members, with_member

from glassml.errors import ModelFileError
from glassml.export import read_manifest, rewrite_manifest
from glassml.inference import Predictor


@pytest.mark.parametrize("name", HOSTILE_ARCHIVES)
def test_is_refused(analytic: Callable[..., Path], tmp_path: Path, name: str) -> None:
    make, words = HOSTILE_ARCHIVES[name]
    hostile = make(analytic(), tmp_path / "hostile.pt")
    with pytest.raises(ModelFileError) as caught:
        Predictor(hostile, "cpu")
    assert "hostile.pt: " in str(caught.value)
    assert words in str(caught.value)


def test_a_flipped_bit_is_noticed(analytic: Callable[..., Path], tmp_path: Path) -> None:
    names = [name for name in members(analytic()) if not name.endswith(("version", "byteorder"))]
    assert {"data.pkl", "data/0", "constants.pkl", "extra/manifest.json"} < set(names)
    for name in names:
        damaged = flipped(analytic(), name, tmp_path / "damaged.pt")
        with pytest.raises(ModelFileError, match=r"damaged\.pt: .*(checksum|CRC|decompress)"):
            Predictor(damaged, "cpu")
        with pytest.raises(ModelFileError, match=r"damaged\.pt: .*(checksum|CRC|decompress)"):
            rewrite_manifest(damaged, tmp_path / "copy.pt")
        assert not (tmp_path / "copy.pt").exists()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("cutoff", 1e300, "less than or equal to 1000000"),
        ("cutoff", float("nan"), "found nan"),
        ("n_steps", 10**12, "less than or equal to 1000"),
        ("state_widths", [1, 2**40], "less than or equal to 65536"),
    ],
)
def test_absurd_numbers_in_the_manifest(
    analytic: Callable[..., Path], tmp_path: Path, field: str, value: object, words: str
) -> None:
    changed = {**json.loads(read_manifest(analytic()).model_dump_json()), field: value}
    content = json.dumps(changed).encode()
    file = with_member(analytic(), "extra/manifest.json", content, tmp_path / "absurd.pt")
    with pytest.raises(ModelFileError, match=rf"manifest\.json: field '{field}.*{words}"):
        read_manifest(file)
