"""The cases of a measurement: made when they are asked for, and once."""

from pathlib import Path

import pytest

from mtshare_ros.bench.cases import StreamCase
from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.study.plans import Plan
from mtshare_ros.study.timed_cases import STUDY_FRACTIONS, TimedCases
from mtshare_ros.tasks import TASKS
from support.study_files import TINY

PAIR = ("normals", "depth")
UNITS = ((LayerShare(1, 32),) * TINY.depth,)


@pytest.fixture
def made(tmp_path: Path) -> TimedCases:
    return TimedCases(TINY, [TASKS[name] for name in PAIR], tmp_path, threads=1)


def test_dense_networks_are_the_first_case_and_one_encoder_is_made_once(tmp_path: Path) -> None:
    names = ("normals", "depth")
    timed = TimedCases(TINY, [TASKS[name] for name in names], tmp_path, 1)
    assert len(timed.cases) == 1
    dense = timed.candidates(Plan("dense", names), trained=False)
    assert list(dense.values()) == [dict.fromkeys(STUDY_FRACTIONS, 0)]
    for _ in range(2):
        (shared,) = timed.candidates(Plan("shared", names), trained=False).values()
        assert shared == dict.fromkeys(STUDY_FRACTIONS, 1) and len(timed.cases) == 2


def test_equal_plans_of_units_are_timed_once_at_each_share(made: TimedCases) -> None:
    first, again = (made.candidates(Plan("units", PAIR, UNITS), False) for _ in range(2))
    assert first == again
    ((_, cases),) = first.items()
    assert list(cases) == list(STUDY_FRACTIONS) and len(made.cases) == 1 + len(cases)
    names = [made.cases[number].name for number in cases.values()]
    assert names == [f"dirty {fraction:g}" for fraction in STUDY_FRACTIONS]
    assert all(isinstance(made.cases[number], StreamCase) for number in cases.values())


def test_full_networks_may_be_computed_in_two_ways(made: TimedCases) -> None:
    ways = made.candidates(Plan("full", PAIR), False)
    assert list(ways) == ["a dense network per task", "every unit private"]
    dense, private = ways.values()
    assert set(dense.values()) == {0} and 0 not in private.values()
