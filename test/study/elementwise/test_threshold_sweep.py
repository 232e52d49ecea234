"""The element-wise scheme over its thresholds, from a run on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mtshare_ros import cli
from mtshare_ros.datasets.stills import StillsDataset
from mtshare_ros.network.reference.elementwise_counts import INPUTS, OUTPUTS, Thresholds
from mtshare_ros.study.elementwise import threshold_sweep
from mtshare_ros.study.elementwise.threshold_sweep import POINTS, sweep
from mtshare_ros.study.room_scores import compute
from mtshare_ros.training.jobs.reference import load_elementwise
from mtshare_ros.training.stored import load_network
from support.study_files import write_elementwise, write_network, write_stills


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run with a base and an element-wise sub-task."""
    write_network(tmp_path / "run", "base", "normals", 0)
    write_elementwise(tmp_path / "run", "elements", "base")
    return tmp_path / "run"


def test_accuracy_and_work_over_thresholds(run: Path, tmp_path: Path) -> None:
    data = write_stills(tmp_path / "stills")
    output = tmp_path / "elements.json"
    arguments = ["study", "elements", run, "elements", "--data", data, "--output", output]
    thresholds = ["--theta", "0", "--theta", "0.05", "--theta", "1e9"]
    assert cli.run([str(a) for a in [*arguments, *thresholds, "--threads", "1"]]) == 0
    whole, some, none = json.loads(output.read_text())["rows"]
    dense = compute(run, "elements", "depth", StillsDataset(data)).whole()
    assert whole["metrics"] == pytest.approx(dense, rel=1e-4)  # nothing cut: the dense network
    assert whole["metrics"] != pytest.approx(none["metrics"], rel=1e-4)
    counted = [row["counted"]["linears"] for row in (whole, some, none)]
    assert counted[0] > counted[1] > counted[2] > 0.9  # every weight differs here
    assert all(row["csr_over_dense"] > 0 for row in (whole, some, none))


def test_an_unknown_place_to_cut_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["study", "elements", str(run), "elements", "--data", "d", "--output", "o.json"]
    assert cli.run([*arguments, "--theta", "0", "--at", "norms"]) == 2
    assert "--at 'norms': expected inputs or outputs" in capsys.readouterr().err


def test_differences_are_cut_at_the_inputs_or_at_the_outputs(run: Path, tmp_path: Path) -> None:
    data = write_stills(tmp_path / "stills")
    found = {
        points: sweep(run, "elements", data, [0.0], points=points, rounds=2) for points in POINTS
    }
    assert {"csr_over_dense", "csr"} <= set(found["inputs"]["rows"][0])
    assert "csr" not in found["outputs"]["rows"][0]


def test_the_work_is_that_of_all_images_and_less_is_needed_than_is_counted(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stills = StillsDataset(write_stills(tmp_path / "stills", rooms=2))
    subtask = load_elementwise(run, "elements")[0]["depth"]
    base, _ = load_network(run, "base")
    limits = Thresholds((0.05,) * base.config.depth, INPUTS)
    found = []
    for batch in (4, 1):
        monkeypatch.setattr(threshold_sweep, "_BATCH", batch)
        found.append(threshold_sweep._score(base, subtask, "depth", stills, limits))
    for key in ("counted", "least"):
        assert found[1][key] == pytest.approx(found[0][key], rel=1e-3)
    assert found[0]["least"]["linears"] < found[0]["counted"]["linears"]


def test_each_threshold_is_of_all_blocks_and_timed_where_it_saves_work(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    data = write_stills(tmp_path / "stills", rooms=1)
    monkeypatch.setattr(threshold_sweep, "_score", lambda *values: asked.append(values[4]) or {})
    monkeypatch.setattr(
        threshold_sweep, "measure_elementwise", lambda *values, **_: {"csr": values[3]}
    )
    for points, place in (("inputs", INPUTS), ("outputs", OUTPUTS)):
        asked.clear()
        rows = sweep(run, "elements", data, [0.1, 0.2], points=points)["rows"]
        assert asked == [Thresholds((theta,) * 2, place) for theta in (0.1, 0.2)]
        assert [row.get("csr") for row in rows] == (
            [0.1, 0.2] if points == "inputs" else [None, None]
        )
