"""The cases of a measurement: made when they are asked for, and once."""

from pathlib import Path
from typing import Any

import pytest
import torch

from mtshare_ros.bench.cases import StreamCase
from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.study import timed_cases
from mtshare_ros.study.plans import Plan
from mtshare_ros.study.timed_cases import STUDY_FRACTIONS, TimedCases, _trained
from mtshare_ros.tasks import TASKS
from mtshare_ros.training.stored import load_network
from support.study_files import TINY, write_network, write_subtasks

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


def test_a_full_network_has_every_unit_private_in_each_further_task(
    made: TimedCases, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        made, "_streams", lambda plan, trained: asked.append((plan, trained)) or {}
    )
    made.candidates(Plan("full", ("normals", "depth", "segmentation")), True)
    ((plan, trained),) = asked
    every = (LayerShare(TINY.heads, TINY.hidden),) * TINY.depth
    assert plan.shares == (every, every) and plan.kind == "units"
    # No trained weights are of this shape.
    assert trained is False


def test_trained_units_are_read_from_the_stage_of_each_task(tmp_path: Path) -> None:
    write_network(tmp_path, "base", "normals", 0)
    write_subtasks(tmp_path, "one", "base", LayerShare(1, 32), 1)
    write_subtasks(tmp_path, "two", "base", LayerShare(2, 16), 2)
    tasks = ("normals", "segmentation", "depth")
    base, subtasks = _trained(Plan("units", tasks, (), ("base", "two", "one"), tmp_path))
    assert torch.equal(base.stem.position, load_network(tmp_path, "base")[0].stem.position)
    shares = {task.name: subtask.shares[0] for task, subtask in subtasks.items()}
    assert shares == {"segmentation": LayerShare(2, 16), "depth": LayerShare(1, 32)}


def test_trained_weights_are_exported_where_they_are_asked_for(
    made: TimedCases, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def networks(name: str) -> Any:
        asked.append(name)
        return None, {}

    monkeypatch.setattr(timed_cases, "_trained", lambda plan: networks("trained"))
    monkeypatch.setattr(timed_cases, "random_networks", lambda *_: networks("random"))
    for name in ("write_bundle", "load_manifest", "OnnxRuntimeEngine", "SceneCamera"):
        monkeypatch.setattr(timed_cases, name, lambda *_: None)
    made.candidates(Plan("units", PAIR, UNITS), True)
    made.candidates(Plan("units", PAIR, ((LayerShare(0, 32),) * TINY.depth,)), False)
    assert asked == ["trained", "random"]
    assert STUDY_FRACTIONS == (1.0, 0.25)
