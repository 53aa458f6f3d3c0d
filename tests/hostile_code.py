"""Model files whose code does more than to calculate."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

__all__ = ["HOSTILE", "VICTIM", "overwriting", "with_line"]

VICTIM = b"0123456789abcdef"

# A line of TorchScript, and what is wrong with it.
HOSTILE = (
    ('_x = torch.from_file("f", True, 16)', "torch.from_file"),
    ('_x = torch .  from_file("f", True, 16)', "torch.from_file"),
    ('_x = torch.#\n    from_file("f", True, 16)', "torch.from_file"),
    ('_x = "f".from_file(True, 16)', "from_file"),
    ('_x = ("f").from_file(True, 16)', "from_file"),
    ('_x = getattr("f", "from_file")(True, 16)', "from_file"),
    ('_f = torch.from_file', "torch.from_file"),
    ('_f = torch', "torch"),
    ('_x = ops.aten.from_file("f", True, 16)', "ops.aten.from_file"),
    ('_x = ops.other.thing(1)', "ops.other.thing"),
    ('_x = __torch__.torch.classes.other.Thing()', "__torch__.torch.classes.other.Thing"),
    ("_x = 'f'", "text that torch does not write, "),
    ('_x = "a\\\\x62"', "text that torch does not write, "),
    ('_x = 5..from_file(True)', "text that torch does not write, '5..from_file"),
    ('_x = "é"', "letters that are not ASCII"),
)  # fmt: skip

# Name -> line, and how it is refused. Without a limit they crash torch.
NESTED = {
    "brackets": ("_x = " + "(" * 20000 + "1" + ")" * 20000, "brackets nested more than 100 deep"),
    "lists": ("_x = [" + "[\n" * 20000 + "]" * 20001, "brackets nested more than 100 deep"),
    "signs": ("_x = " + "1 + " * 20000 + "1", "a statement of more than 3000 parts"),
    "words": ("_x = (" + "not\n" * 20000 + "True)", "a statement of more than 3000 parts"),
    "blocks": (f"_x = 1\n{' ' * 204}_y = 1", "blocks nested more than 100 deep"),
}


def with_line(model: Path, line: str, output: Path) -> Path:
    """A copy of a model file with one more line at the beginning of its method embed."""
    found = 0
    with zipfile.ZipFile(model) as source, zipfile.ZipFile(output, "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            if "/code/" in entry.filename and entry.filename.endswith(".py"):
                text, n = re.subn(
                    r"(def embed\(.*?\) -> [^\n]*:\n)",
                    rf"\1    {line}\n",
                    content.decode(),
                    flags=re.S,
                )
                content, found = text.encode(), found + n
            target.writestr(entry, content)
    assert found == 1
    return output


def overwriting(model: Path, victim: Path, output: Path) -> Path:
    """A copy of a model that gives the same values, and overwrites a file with zeros."""
    victim.write_bytes(VICTIM)
    zeros = f'torch.zero_(torch.from_file("{victim}", True, {len(VICTIM)}, dtype=0))'
    return with_line(model, f"species = torch.add(species, torch.sum({zeros}))", output)
