"""How far a build is."""

from __future__ import annotations

import pytest

from mtshare_ros.perception.engines.build_progress import (
    BuildProgress,
    PhaseTree,
    Progress,
    on_progress,
)


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


def test_a_phase_without_steps_and_one_with_more_than_it_said_are_no_more_than_whole() -> None:
    tree = PhaseTree()
    tree.start("all", None, 2)
    tree.start("empty", "all", 0)
    assert tree.fraction == 0
    tree.step("empty", 0)
    assert tree.fraction == pytest.approx(0.5)
    tree.step("all", 1)
    assert tree.fraction == 1


def test_each_graph_begins_anew_where_the_one_before_it_ended() -> None:
    seen: list[Progress] = []
    progress = BuildProgress({"small": 1.0, "large": 3.0}, lambda p: seen.append(p) or True)
    progress.enter("small")
    progress.phase_start("all", None, 2)
    for step in range(2):
        assert progress.step("all", step)
    progress.phase_finish("all")
    progress.enter("large")
    progress.phase_start("all", None, 4)
    progress.step("all", 0)
    assert [p.fraction for p in seen] == pytest.approx([0, 0.125, 0.25, 0.25, 0.4375])


def test_a_build_goes_on_until_somebody_says_no() -> None:
    progress = BuildProgress({"g": 1.0}, lambda p: p.fraction < 0.3)
    progress.enter("g")
    progress.phase_start("all", None, 4)
    assert progress.step("all", 0) and progress.going_on
    assert not progress.step("all", 1) and not progress.going_on


def test_an_estimate_is_given_from_three_percent_on() -> None:
    now = [0.0]
    progress = BuildProgress({"g": 1.0}, None, clock=lambda: now[0])
    progress.enter("g")
    progress.phase_start("all", None, 100)
    now[0] = 6.0
    progress.step("all", 1)
    assert progress.now().seconds_left is None
    progress.step("all", 2)
    assert progress.now().seconds_left == pytest.approx(6 * 97 / 3)


@pytest.mark.parametrize(
    ("left", "words"), [(0.2, "1 s"), (89.0, "89 s"), (90.0, "2 min"), (600.0, "10 min")]
)
def test_the_time_that_is_left_is_said_in_words(left: float, words: str) -> None:
    said = str(Progress("base", 0.5, left))
    assert said == f"compiling engine base for this GPU: 50 %, about {words} left"


def test_progress_is_passed_on_in_steps() -> None:
    steps: list[tuple[int, int]] = []
    report = on_progress(lambda done, total: steps.append((done, total)))
    assert report(Progress("base", 0.25, None)) and steps == [(250, 1000)]
