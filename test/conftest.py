"""Fixtures that several test files share."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mtshare_ros.manifest import LayerShare
from mtshare_ros.network.config import NetworkConfig

SMALL = NetworkConfig(width=48, depth=3, heads=3, hidden=96, fine_width=16, size=(128, 96))
"""A network that tests can afford: 48 tokens."""


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
    from ros_harness import ros

    with ros() as result:
        yield result


@dataclass(frozen=True)
class Step:
    """A call of ``PerceptionStream.step`` and what it returned."""

    wanted: set[str]
    focal_length: float | None
    found: Any


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """Every call of ``PerceptionStream.step``."""
    from mtshare_ros.perception.stream import PerceptionStream

    calls, step = [], PerceptionStream.step

    def spy(
        self: Any,
        picture: Any,
        stamp: int,
        wanted: Collection[str],
        focal_length: float | None = None,
    ) -> Any:
        found = step(self, picture, stamp, wanted, focal_length)
        calls.append(Step(set(wanted), focal_length, found))
        return found

    monkeypatch.setattr(PerceptionStream, "step", spy)
    return calls
