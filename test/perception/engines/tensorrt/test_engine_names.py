"""What the project uses of TensorRT and pycuda exists there, in every version that matters.

``standins/real_names.json`` was read from the real bindings (``standins/real_names.py`` says how
to renew it): JetPack 6.2's TensorRT 10.3, JetPack 7's 10.13, and the newest at that time.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

import mtshare_ros
from support.standins import fake_tensorrt, pycuda_driver, real_names

ENGINES = Path(mtshare_ros.__file__).parent / "perception" / "engines" / "tensorrt"
ENTRIES = json.loads((Path(real_names.__file__).parent / "real_names.json").read_text())
TENSORRT = {entry["version"]: entry for entry in ENTRIES if "classes" in entry}
PYCUDA = set(next(entry["names"] for entry in ENTRIES if "names" in entry))
MODULES = {f"support.standins.fake_{part}" for part in ("types", "builder", "runtime")}


def _classes(owner: Any, prefix: str = "") -> dict[str, type]:
    """Return the public classes of the stand-in by name, inner ones as ``Outer.Inner``."""
    found = {}
    for name, value in vars(owner).items():
        if inspect.isclass(value) and not name.startswith("_"):
            if value.__module__ in MODULES:
                found[prefix + name] = value
                found |= _classes(value, f"{prefix}{name}.")
    return found


def _public(owner: type) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(owner).items()
        if (not name.startswith("_") or name == "__init__") and not inspect.isclass(value)
    }


def test_the_versions_of_the_boards_are_listed() -> None:
    assert {"10.3.0", "10.13.3.9"} <= set(TENSORRT) and len(TENSORRT) >= 3


@pytest.mark.parametrize("version", TENSORRT)
def test_the_stand_in_has_no_name_that_tensorrt_lacks(version: str) -> None:
    real, classes = TENSORRT[version]["classes"], _classes(fake_tensorrt)
    assert len(classes) > 15
    for name, owner in classes.items():
        assert name in real, f"TensorRT {version} has no {name}"
        for attribute in _public(owner):
            if attribute != "__init__":
                assert attribute in real[name], f"TensorRT {version} has no {name}.{attribute}"


@pytest.mark.parametrize("version", TENSORRT)
def test_the_stand_in_takes_the_parameters_that_tensorrt_takes(version: str) -> None:
    real, compared = TENSORRT[version]["classes"], 0
    for name, owner in _classes(fake_tensorrt).items():
        for attribute, value in _public(owner).items():
            overloads = real[name].get(attribute)
            if not inspect.isfunction(value) or not overloads:
                continue
            if attribute == "__init__" and name.startswith("I") and overloads == [[]]:
                continue
            if attribute == "__init__" and name not in ("Builder", "OnnxParser", "Runtime"):
                continue  # made by TensorRT, never by the project
            ours = list(inspect.signature(value).parameters)[1:]
            assert any(ours == theirs[: len(ours)] for theirs in overloads), f"{name}.{attribute}"
            compared += 1
    assert compared > 30


def _chains(path: Path, module: str) -> set[str]:
    """Return every ``a.b`` of ``module.a.b`` in a source file, the longest ones."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value  # type: ignore[assignment]
        if isinstance(node, ast.Name) and node.id == module and names:
            found.add(".".join(names[::-1]))
    return found


@pytest.mark.parametrize("version", TENSORRT)
def test_every_name_of_tensorrt_in_the_code_is_there(version: str) -> None:
    entry, used = TENSORRT[version], set()
    for path in ENGINES.glob("*.py"):
        used |= _chains(path, "trt")
    assert {"Runtime", "ILogger.Severity.ERROR", "BuilderFlag.TF32"} <= used
    for chain in used - {"__version__"}:
        owner, _, attribute = chain.rpartition(".")
        classes, functions = entry["classes"], entry["functions"]
        known = chain in classes or chain in functions
        known = known or attribute in classes.get(owner, ())
        assert known, f"TensorRT {version} has no {chain}"


def test_every_name_of_pycuda_is_there() -> None:
    used = _chains(ENGINES / "gpu.py", "cuda")
    used |= {name for name, value in vars(pycuda_driver).items() if _is_public(name, value)}
    for owner in vars(pycuda_driver).values():
        if inspect.isclass(owner) and owner.__module__ == pycuda_driver.__name__:
            used |= set() if owner is pycuda_driver.Libcuda else set(_public(owner))
    names = {part for chain in used for part in chain.split(".")} - {"__init__"}
    assert len(names) > 25
    assert names <= PYCUDA, f"pycuda has no {sorted(names - PYCUDA)}"


def _is_public(name: str, value: Any) -> bool:
    ours = getattr(value, "__module__", None) == pycuda_driver.__name__
    return ours and not name.startswith("_") and name not in ("Libcuda", "exchange_rows")


def test_the_list_is_what_the_installed_bindings_have() -> None:
    spec = importlib.util.find_spec("tensorrt_bindings")
    if spec is None or spec.origin is None:
        pytest.skip("tensorrt-cu13-bindings is not installed (pip install -e '.[test]')")
    if real_names.compiler() is None:
        pytest.skip("no C compiler: the bindings can't be imported without TensorRT's libraries")
    installed = real_names.names_of(Path(spec.origin).parents[1])
    listed = {k: v for k, v in TENSORRT[installed["version"]].items() if k != "origin"}
    assert installed == listed
