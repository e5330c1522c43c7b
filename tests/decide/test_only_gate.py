"""Only the gate makes Permits: nothing else in the house builds, copies or decodes one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "deungdae"
MAKERS = (SOURCE / "decide" / "gate", SOURCE / "core" / "types.py")


def breaches(text: str) -> list[str]:
    """Return where a text could make a Permit: every use of the name but the harmless ones.

    Harmless are imports under its own name, annotations of arguments, results and local
    variables, and isinstance. A field of a struct is not: a decoder would fill it.
    """
    tree = ast.parse(text)
    harmless = set(_harmless(tree))
    return [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if id(node) not in harmless and (_names_permit(node) or _changes_permit(node))
    ]


def _names_permit(node: ast.AST) -> bool:
    return (
        (isinstance(node, ast.Name) and node.id == "Permit")
        or (isinstance(node, ast.Attribute) and node.attr == "Permit")
        or (isinstance(node, ast.Constant) and node.value == "Permit")
        or (isinstance(node, ast.alias) and node.name == "Permit" and node.asname is not None)
    )


def _changes_permit(node: ast.AST) -> bool:
    """Return whether a call copies or changes something that is called a permit."""
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func).rpartition(".")[2]
    if called not in ("replace", "__replace__", "force_setattr", "__setattr__", "setattr"):
        return False
    return any("permit" in ast.unparse(part).lower() for part in (node.func, *node.args[:2]))


def _harmless(tree: ast.AST) -> Iterator[int]:
    """Yield the id of every node within a harmless use."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for hint in _hints(node):
                yield from map(id, ast.walk(hint))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
            yield from map(id, ast.walk(node.args[1]))


def _hints(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    """Yield the annotations of a function's arguments, result and own variables."""
    taken = function.args
    arguments = (*taken.posonlyargs, *taken.args, *taken.kwonlyargs, taken.vararg, taken.kwarg)
    yield from (a.annotation for a in arguments if a is not None and a.annotation is not None)
    if function.returns is not None:
        yield function.returns
    classes = [node for node in ast.walk(function) if isinstance(node, ast.ClassDef)]
    fields = {id(field) for inner in classes for field in inner.body}
    for node in ast.walk(function):
        if isinstance(node, ast.AnnAssign) and id(node) not in fields:
            yield node.annotation


def test_only_the_gate_makes_permits() -> None:
    found = {
        str(path.relative_to(SOURCE)): bad
        for path in sorted(SOURCE.rglob("*.py"))
        if not any(path == maker or maker in path.parents for maker in MAKERS)
        and (bad := breaches(path.read_text(encoding="utf-8")))
    }
    assert not found, "a Permit may only come from deungdae.decide.gate"


@pytest.mark.parametrize(
    "text",
    [
        "permit = Permit(command=c, granted=0, mode='auto')",
        "permit = types.Permit(command=c, granted=0, mode='auto')",
        "from deungdae.core.types import Permit as P",
        "Alias = Permit",
        "msgspec.json.decode(data, type=Permit)",
        "msgspec.json.decode(data, type=list[Permit])",
        "msgspec.convert(data, Permit)",
        "make = getattr(types, 'Permit')",
        "make = functools.partial(Permit, mode='auto')",
        "class Mine(Permit): ...",
        "class Record(msgspec.Struct):\n    permit: Permit",
        "def f():\n    class Record(msgspec.Struct):\n        permit: Permit",
        "msgspec.structs.replace(permit, granted=0)",
        "copy.replace(self.permit, granted=0)",
        "permit.__replace__(granted=0)",
        "msgspec.structs.force_setattr(permit, 'granted', 0)",
    ],
)
def test_every_way_to_make_one_is_seen(text: str) -> None:
    assert breaches(text)


@pytest.mark.parametrize(
    "text",
    [
        "from deungdae.core.types import Permit",
        "async def write(self, permit: Permit, signal: Signal) -> float | None: ...",
        "def judge(command: Command) -> Permit | Proposal: ...",
        "def f():\n    waiting: dict[str, Permit] = {}",
        "isinstance(verdict, Permit)",
        "text.replace('a', 'b')",
    ],
)
def test_what_only_passes_one_on_is_let_be(text: str) -> None:
    assert not breaches(text)
