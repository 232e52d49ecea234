"""Fixtures that several test files share."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mtshare_ros.bundle.manifest import LayerShare
from support.samples import SMALL


@pytest.fixture(scope="session", autouse=True)
def exported_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let equal graphs be exported once: each takes seconds, and hundreds of tests need some."""
    # Tests of rooms without torch don't load it.
    writer = sys.modules.get("mtshare_ros.export.onnx_writer")
    if writer is not None:
        from support.exports import remember

        folder = tmp_path_factory.getbasetemp()
        if "PYTEST_XDIST_WORKER" in os.environ:
            folder = folder.parent  # Where the workers of a run meet.
        (folder := folder / "exported").mkdir(exist_ok=True)
        remember(writer, folder)


@pytest.fixture(scope="session")
def bundle_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bundle with random weights: normals as base, depth and segmentation on it."""
    from mtshare_ros.export.random_bundle import random_bundle

    folder = tmp_path_factory.mktemp("bundles") / "small"
    random_bundle(folder, SMALL, LayerShare(1, 32))
    return folder


@pytest.fixture(scope="module")
def context() -> Iterator[Any]:
    """A ROS context of a test file's own."""
    from support.ros_harness import ros

    with ros() as result:
        yield result


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What stands in for a GPU, with TensorRT and an empty cache of engines."""
    from support.standins.installed import installed

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with installed() as device:
        yield device


@dataclass(frozen=True)
class Step:
    """A frame that ``PerceptionStream`` was given, and what it returned."""

    wanted: set[str]
    focal_length: float | None
    found: Any


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """Every frame that a ``PerceptionStream`` computed or carried along."""
    from mtshare_ros.perception.stream import PerceptionStream

    calls, step = [], PerceptionStream._step

    def spy(self: Any, view: Any, wanted: Collection[str], *others: Any) -> Any:
        found = step(self, view, wanted, *others)
        calls.append(Step(set(wanted), view.focal_length, found))
        return found

    monkeypatch.setattr(PerceptionStream, "_step", spy)
    return calls


@pytest.fixture(scope="module")
def engine(bundle_path: Path) -> Any:
    """The small bundle, opened in ONNX Runtime."""
    from mtshare_ros.perception.engines import open_engine

    return open_engine(bundle_path, threads=1)


@pytest.fixture(scope="session")
def rendered_stills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered training set, one view of each room."""
    from mtshare_ros.simulator.render_stills import render_stills
    from support.stills import ROOMS, SIZE

    folder = tmp_path_factory.mktemp("stills") / "rendered"
    render_stills(folder, range(ROOMS), 1, SIZE, workers=1)
    return folder


@pytest.fixture(scope="module")
def study_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stills of test rooms."""
    from support.study_files import write_stills

    return write_stills(tmp_path_factory.mktemp("stills") / "test")


@pytest.fixture(scope="module")
def study_trained(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs of a small study, of one seed each."""
    from support.study_files import write_run

    folder = tmp_path_factory.mktemp("runs")
    return [write_run(folder / f"run{seed}", 100 * seed) for seed in range(2)]


@pytest.fixture
def study_runs(tmp_path: Path, study_trained: list[Path]) -> list[Path]:
    """The same as copies that a test may change."""
    return [Path(shutil.copytree(run, tmp_path / run.name)) for run in study_trained]
