"""Every code block of the pages is executed by a test, or listed with the reason why it is not."""

from __future__ import annotations

import ast
import re

import pytest
from pages import PAGES, REPOSITORY, Block, blocks_of, command_lines, executed

LIST = "docs/developers/not_executed.md"
# What such a block holds is not executed: output, formats, syntax.
SHOWN = {"text"}
LANGUAGES = {"json", "lammps", "python", "sh", "text", "yaml"}
BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def texts_of_tests() -> dict[str, ast.Module]:
    """The tests that call `executed`, by their paths."""
    found = {}
    for path in sorted((REPOSITORY / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if path.name != "test_code_blocks.py" and "executed(" in text:
            found[str(path.relative_to(REPOSITORY))] = ast.parse(text)
    return found


def takes_blocks(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) == "executed"


def calls_of_executed() -> list[tuple[str, list[object]]]:
    """Where tests call `executed`, and with which arguments; they must be written as text."""
    found = []
    for path, tree in texts_of_tests().items():
        for node in filter(takes_blocks, ast.walk(tree)):
            assert isinstance(node, ast.Call)
            place = f"{path}:{node.lineno}"
            found.append((place, [ast.literal_eval(argument) for argument in node.args]))
            assert not node.keywords, place
    return found


def left_out(tree: ast.Module) -> list[int]:
    """Lines that take blocks and drop some of them: by an index, or into a name such as `_`."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and takes_blocks(node.value):
            found.append(node.lineno)
        elif isinstance(node, ast.Assign) and takes_blocks(node.value):
            names = {part.id for part in ast.walk(node.targets[0]) if isinstance(part, ast.Name)}
            if any(name.startswith("_") for name in names):
                found.append(node.lineno)
    return found


def listed() -> dict[tuple[str, str], str]:
    """(page, first line of the block without its comment) -> reason, from the table of the page."""
    text = (REPOSITORY / LIST).read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[[^]]+\]\(([^)]+)\) \| `` (.+?) `` \| (.+) \|$", text, re.MULTILINE)
    folder = (REPOSITORY / LIST).parent
    return {
        ((folder / page).resolve().relative_to(REPOSITORY).as_posix(), line): reason
        for page, line, reason in rows
    }


def key(block: Block) -> tuple[str, str]:
    return block.page, re.sub(r"\s+#\s.*", "", block.code.splitlines()[0].strip())


def taken_by_tests() -> set[str]:
    """Code of the blocks that tests execute, each with its page."""
    return {
        f"{arguments[0]}\n{code}"
        for _, arguments in calls_of_executed()
        for code in executed(*arguments)
    }


@pytest.mark.parametrize("page", sorted({block.page for block in BLOCKS}))
def test_blocks_have_a_language(page: str):
    assert [b.line for b in BLOCKS if b.page == page and b.language not in LANGUAGES] == []


def test_every_call_finds_blocks():
    assert [place for place, arguments in calls_of_executed() if not executed(*arguments)] == []


def test_no_test_takes_a_block_and_leaves_it_out():
    """Such a block would count as executed."""
    found = [f"{path}:{line}" for path, tree in texts_of_tests().items() for line in left_out(tree)]
    assert found == [], "take only what is executed, by the section or the place"
    dropped = "*_, a = executed('p', 'sh')\n(b,) = executed('p', 'sh')\nc = executed('p', 'sh')[1]"
    assert left_out(ast.parse(dropped)) == [1, 3]


def test_every_block_is_executed_or_listed():
    taken, not_executed = taken_by_tests(), listed()
    forgotten = [
        f"{block.page}:{block.line}: {key(block)[1]}"
        for block in BLOCKS
        if block.language not in SHOWN
        and f"{block.page}\n{block.code}" not in taken
        and key(block) not in not_executed
    ]
    assert forgotten == [], f"execute these blocks in a test, or say in {LIST} why not"


def test_the_list_holds_nothing_else():
    taken = taken_by_tests()
    waiting = {key(block) for block in BLOCKS if f"{block.page}\n{block.code}" not in taken}
    assert set(listed()) <= waiting, "these blocks are gone, or a test executes them"
    assert listed()


def test_blocks_are_found():
    page = REPOSITORY / "docs" / "howto" / "labels.md"
    fences = re.findall(r"^```\w", page.read_text(encoding="utf-8"), re.MULTILINE)
    blocks = blocks_of("docs/howto/labels.md")
    assert len(blocks) == len(fences) > 5
    assert {block.language for block in blocks} == {"lammps", "python", "sh"}
    assert blocks[0].section[-1] == "1. A trajectory"
    code = "glassml a \\\n  --b 'c d'  # why\n\n# nothing\nlmp -in x\n"
    assert command_lines(code) == [["glassml", "a", "--b", "c d"], ["lmp", "-in", "x"]]
