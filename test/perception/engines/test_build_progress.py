"""How far a build is."""

from __future__ import annotations

import pytest

from mtshare_ros.perception.engines.build_progress import BuildProgress, PhaseTree, Progress


def test_nested_phases_add_up() -> None:
    tree = PhaseTree()
    tree.start("all", None, 2)
    tree.start("part", "all", 4)
    tree.step("part", 1)
    assert tree.fraction == pytest.approx(0.25)
    tree.finish("part")
    assert tree.fraction == pytest.approx(0.25)  # never backwards
    tree.step("all", 0)
    assert tree.fraction == pytest.approx(0.5)


def test_the_estimate_follows_the_clock() -> None:
    now = [0.0]
    progress = BuildProgress({"small": 1.0, "large": 3.0}, None, clock=lambda: now[0])
    progress.enter("small")
    assert progress.now().seconds_left is None
    now[0] = 30.0
    progress.enter("large")
    assert progress.now() == Progress("large", 0.25, 90.0)
    assert str(progress.now()).endswith("25 %, about 2 min left")
