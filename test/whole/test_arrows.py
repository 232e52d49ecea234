"""Arrows point one way: what each room may import, and what each command needs to be installed."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import mtshare_ros

PACKAGE = Path(mtshare_ros.__file__).parent
GROUND = ("tasks.py", "errors.py", "settings.py", "progress.py", "output_checks.py", "__init__.py")
"""What every room may import."""
ONLINE = ("bundle", "perception", "ros")
"""Rooms of the robot: no torch, and nothing of the offline side."""
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "bundle": (),
    "perception": ("bundle",),
    "ros": ("perception", "bundle"),
    "datasets": ("perception", "bundle"),
    "replay": ("ros", "datasets", "perception", "bundle"),
    "network": ("perception", "bundle"),
    "network/reference": ("network", "bundle"),
    "metrics": ("datasets", "bundle"),
    "training": ("network", "datasets", "metrics", "perception", "bundle"),
    "simulator": ("datasets", "perception"),
    "export": ("training", "network", "perception", "bundle"),
    "machine": ("perception", "bundle"),
    "evaluation": ("metrics", "datasets", "perception", "bundle"),
    "bench": ("evaluation", "export", "network", "machine", "perception", "bundle"),
    "study": (
        "bench",
        "evaluation",
        "export",
        "training",
        "network",
        "network/reference",
        "metrics",
        "machine",
        "datasets",
        "perception",
        "bundle",
    ),
    "commands": (
        "study",
        "bench",
        "evaluation",
        "replay",
        "machine",
        "export",
        "training",
        "simulator",
        "metrics",
        "datasets",
        "perception",
        "bundle",
    ),
    "cli.py": ("commands",),
    "__main__.py": ("cli.py",),
}
"""Room -> the rooms that it may import beside the ground; a room that is not listed has none."""
EXCEPTIONS = {"training/jobs/reference.py": ("network/reference",)}
"""File -> rooms that it alone of its room may import."""
ABSENT_ON_A_ROBOT = {
    "torch",
    "tensorrt",
    "pycuda",
    "mujoco",
    "onnx",
    "onnxscript",
    "pydantic",
    "rosbags",
    "jinja2",
    "typer",
}
NEED_MORE = {
    "perception/engines/derived_graphs.py": {"onnx"},
    "perception/engines/tensorrt/build.py": {"tensorrt"},
    "perception/engines/tensorrt/engine.py": {"tensorrt", "pycuda"},
    "perception/engines/tensorrt/gpu.py": {"pycuda"},
    "perception/engines/tensorrt/opening.py": {"tensorrt", "pycuda"},
    "perception/engines/tensorrt/stage.py": {"pycuda"},
    "perception/engines/tensorrt/state.py": {"tensorrt", "pycuda"},
    "perception/engines/torch/engine.py": {"torch", "onnx"},
    "perception/engines/torch/graph_runner.py": {"torch", "onnx"},
    "perception/engines/torch/state.py": {"torch"},
}
"""Files of the robot's rooms that are themselves the use of something absent on most robots."""


def dotted(path: str) -> str:
    """Return the name under which a file of the package is imported."""
    return ".".join(("mtshare_ros", *Path(path).with_suffix("").parts)).removesuffix(".__init__")


@functools.cache
def files() -> dict[str, str]:
    """Return dotted name -> path inside the package, of every module."""
    paths = [str(path.relative_to(PACKAGE)) for path in sorted(PACKAGE.rglob("*.py"))]
    return {dotted(path): path for path in paths}


@functools.cache
def imports() -> dict[str, set[str]]:
    """Return file -> files of the package that it imports, wherever the import stands."""
    return {path: set(_imported(path)) for path in files().values()}


def _imported(path: str) -> Iterator[str]:
    for node in ast.walk(ast.parse((PACKAGE / path).read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            target = files().get(name) or files().get(name.rpartition(".")[0])
            if target is not None and target != path:
                yield target


def room(path: str) -> str:
    """Return the room that a file is in; a file on the package's top floor is its own."""
    if path.startswith("network/reference/"):
        return "network/reference"
    return path.partition("/")[0]


def test_every_room_is_listed_and_no_other() -> None:
    rooms = {room(path) for path in files().values()} - set(GROUND)
    assert rooms == set(MAY_IMPORT)


def test_the_ground_imports_nothing_but_the_ground() -> None:
    assert [path for path in GROUND if imports()[path] - set(GROUND)] == []


def test_imports_point_one_way() -> None:
    wrong = []
    for path, targets in imports().items():
        if path in GROUND:
            continue
        allowed = {room(path), *GROUND, *MAY_IMPORT[room(path)], *EXCEPTIONS.get(path, ())}
        wrong += [f"{path} -> {t}" for t in sorted(targets) if room(t) not in allowed]
    assert wrong == []


def test_exceptions_are_used() -> None:
    for path, rooms in EXCEPTIONS.items():
        assert {room(target) for target in imports()[path]} >= set(rooms)


def test_no_circles_between_rooms_nor_inside_them() -> None:
    for graph in (MAY_IMPORT, imports()):
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_the_offline_side_is_never_imported_on_the_robot() -> None:
    reached = set(ONLINE)
    assert {below for name in ONLINE for below in MAY_IMPORT[name]} <= reached


BLOCK = """
import importlib, sys

class Without:
    def __init__(self, finders):
        self.finders = finders

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent}:
            return None
        specs = (finder.find_spec(name, path, target) for finder in self.finders)
        return next((spec for spec in specs if spec is not None), None)

sys.meta_path[:] = [Without(sys.meta_path[:])]
for module in {modules}:
    importlib.import_module(module)
"""
"""Where packages are absent: whoever asks for one is told that there is none."""


def import_blocked(absent: set[str], modules: list[str], more: str = "") -> str:
    """Import modules in a process of its own where some packages are absent; return its output."""
    code = BLOCK.format(absent=absent, modules=modules) + more
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_rooms_of_the_robot_import_where_the_offline_side_is_not_installed() -> None:
    paths = [p for p in files().values() if room(p) in (*ONLINE, *GROUND) and p not in NEED_MORE]
    paths.remove("settings.py")  # Of the offline side: it needs pydantic and yaml.
    assert len(paths) > 50 and set(NEED_MORE) <= set(files().values())
    import_blocked(ABSENT_ON_A_ROBOT, [dotted(path) for path in paths])


@pytest.mark.parametrize("module", ["torch", "mtshare_ros.perception.engines.torch.state"])
def test_the_blocker_blocks(module: str) -> None:
    with pytest.raises(AssertionError, match="No module named 'torch'"):
        import_blocked(ABSENT_ON_A_ROBOT, [module])


def test_the_doctor_runs_where_everything_is_absent() -> None:
    absent = {*ABSENT_ON_A_ROBOT, "numpy", "cv2", "onnxruntime", "rclpy", "matplotlib"}
    code = (
        "from mtshare_ros.machine.doctor import examine\n"
        "print([f.what.split()[0] for f in examine(train=True) if f.fatal])\n"
    )
    fatal = import_blocked(absent, [], code)
    for name in ("numpy", "cv2", "onnxruntime", "rclpy", "torch", "mujoco"):
        assert f"'{name}'" in fatal


DEMO = ("online", "ros", "report")
"""What `make demo` installs."""
TRAIN = ("online", "report", "offline")
COMMANDS: dict[str, tuple[str, ...]] = {
    "replay": DEMO,
    "soak": DEMO,
    "demo": DEMO,
    "video": ("online", "report"),
    "doctor": ("report",),
    "inspect": ("online", "report"),
    "evaluate": DEMO,
    "boundary-score": ("online", "report"),
    "label": ("online", "report"),
    "bench-report": ("online", "report"),
    "build": ("online", "report", "offline"),
    "simulate": TRAIN,
    "render": TRAIN,
    "train": TRAIN,
    "export": TRAIN,
    "bench": TRAIN,
    "study table": TRAIN,
    "study timing": TRAIN,
    "study elements": TRAIN,
    "study reuse": TRAIN,
    "study shares": TRAIN,
}
"""Command -> the extras with which it runs."""


def _distributions(extras: tuple[str, ...]) -> set[str]:
    """Return the names of the distributions that the extras bring, all that they need included."""
    waiting = {
        requirement
        for text in importlib.metadata.requires("mtshare_ros") or ()
        for requirement, extra in [_requirement(text)]
        if extra is None or extra in extras
    }
    brought: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in brought:
            continue
        brought.add(name)
        try:
            needed = importlib.metadata.requires(name) or ()
        except importlib.metadata.PackageNotFoundError:
            continue  # Needed on other systems only.
        waiting |= {n for text in needed for n, extra in [_requirement(text)] if extra is None}
    return brought


def _requirement(text: str) -> tuple[str, str | None]:
    """Return the normalised name of a requirement, and the extra that asks for it, if any."""
    name = re.match(r"[\w.-]+", text)
    extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", text)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower(), extra[1] if extra else None


def absent_with(extras: tuple[str, ...]) -> set[str]:
    """Return the top-level modules of what is installed here and the extras don't bring."""
    brought = _distributions(extras)
    return {
        module
        for module, owners in importlib.metadata.packages_distributions().items()
        if module != "mtshare_ros"
        and not any(re.sub(r"[-_.]+", "-", owner).lower() in brought for owner in owners)
    }


def command_modules() -> dict[str, list[str]]:
    """Return command -> the modules of the package that its code imports, itself included."""
    import typer

    from mtshare_ros.cli import app

    group = typer.main.get_command(app)
    callbacks = dict(group.commands)  # type: ignore[attr-defined]
    for name, below in callbacks.pop("study").commands.items():
        callbacks[f"study {name}"] = below
    needed = {}
    for name, command in callbacks.items():
        function = command.callback
        path = files()[function.__module__]
        tree = ast.parse((PACKAGE / path).read_text())
        (code,) = (
            node
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and node.name == function.__name__
        )
        names = {function.__module__}
        for node in ast.walk(code):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mtshare_ros"):
                names.add(str(node.module))
        needed[name] = sorted(names)
    return needed


def test_every_command_says_which_extras_it_needs() -> None:
    assert set(command_modules()) == set(COMMANDS)


@pytest.mark.parametrize("extras", sorted(set(COMMANDS.values())))
def test_commands_import_with_only_their_extras_installed(extras: tuple[str, ...]) -> None:
    absent = absent_with(extras)
    assert "torch" in absent or "offline" in extras
    modules = [
        module
        for name, needed in command_modules().items()
        for module in needed
        # No extra brings TensorRT: it comes with a board.
        if COMMANDS[name] == extras and "tensorrt" not in NEED_MORE.get(files()[module], ())
    ]
    import_blocked(absent, modules)
