"""Tests lie where what they hold lies: each module is held by a test of its own room."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import mtshare_ros

PACKAGE = Path(mtshare_ros.__file__).parent
TESTS = Path(__file__).parents[1]
BESIDE_THE_ROOMS = {"whole", "support"}
"""Folders of tests that are no room: stories through several rooms, and helpers."""
ENTRY = Path("__main__.py")
"""Runs ``cli.main`` and nothing else."""


@functools.cache
def modules() -> list[Path]:
    """Return the files of the package that hold code, relative to it."""
    files = [path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py"))]
    return [path for path in files if path != ENTRY and _has_code(PACKAGE / path)]


def _has_code(path: Path) -> bool:
    statements = ast.parse(path.read_text()).body
    return any(not isinstance(s, ast.Expr) for s in statements)


def dotted(module: Path) -> str:
    """Return the name under which a file of the package is imported."""
    return ".".join(("mtshare_ros", *module.with_suffix("").parts)).removesuffix(".__init__")


@functools.cache
def imported(test: Path) -> set[str]:
    """Return what a test imports: modules, and names that may be modules."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(test.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_each_module_is_imported_by_a_test_of_its_room() -> None:
    unheld = []
    for module in modules():
        room = TESTS / module.parent
        tests = room.glob("test_*.py")
        if not any(dotted(module) in imported(test) for test in tests):
            unheld.append(str(module))
    assert not unheld, f"no test of its room imports {', '.join(unheld)}"


def test_each_test_is_named_after_a_module_of_its_room() -> None:
    strangers = []
    for test in sorted(TESTS.rglob("test_*.py")):
        room = test.parent.relative_to(TESTS)
        if room.parts[:1] and room.parts[0] in BESIDE_THE_ROOMS:
            continue
        stems = [path.stem for path in modules() if path.parent == room]
        stems = [room.name if stem == "__init__" else stem for stem in stems]
        if not any(f"{test.stem}_".startswith(f"test_{stem}_") for stem in stems):
            strangers.append(str(test.relative_to(TESTS)))
    assert not strangers, f"named after no module of their room: {', '.join(strangers)}"
