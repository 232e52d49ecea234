"""The cases of a measurement: made when they are asked for, and once."""

from pathlib import Path

from mtshare_ros.study.plans import Plan
from mtshare_ros.study.timed_cases import STUDY_FRACTIONS, TimedCases
from mtshare_ros.tasks import TASKS
from support.study_files import TINY


def test_dense_networks_are_the_first_case_and_one_encoder_is_made_once(tmp_path: Path) -> None:
    names = ("normals", "depth")
    timed = TimedCases(TINY, [TASKS[name] for name in names], tmp_path, 1)
    assert len(timed.cases) == 1
    dense = timed.candidates(Plan("dense", names), trained=False)
    assert list(dense.values()) == [dict.fromkeys(STUDY_FRACTIONS, 0)]
    for _ in range(2):
        (shared,) = timed.candidates(Plan("shared", names), trained=False).values()
        assert shared == dict.fromkeys(STUDY_FRACTIONS, 1) and len(timed.cases) == 2
