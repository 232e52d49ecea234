"""The report: keys for programs, and a page that holds all it needs."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from mtshare_ros.errors import JobError
from mtshare_ros.evaluation.outcome import Outcome
from mtshare_ros.evaluation.report import report_files
from mtshare_ros.evaluation.report.report_files import write_report
from mtshare_ros.evaluation.scores import Recording, Scores
from support.report_files import ALL_TASKS, RUN, manifest, outcome, scores_of

KEYS = {
    "frames", "complete", "expected_frames", "tasks", "truth_frames", "disagreement", "latency_ms",
    "dirty_fraction", "engine", "policy", "bundle", "baselines", "worst_frames", "per_frame",
}  # fmt: skip


@pytest.fixture
def scores() -> Scores:
    return scores_of(*(outcome(index) for index in range(5)))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return the folder of a report of five frames, and what its writing returned."""
    folder = tmp_path_factory.mktemp("report")
    frames = scores_of(*(outcome(index) for index in range(5)))
    return folder, write_report(folder, RUN, frames, manifest())


@pytest.fixture
def no_page(monkeypatch):
    """Leave out the page, which takes longest."""
    monkeypatch.setattr(report_files, "page", lambda run, *_: run.source)


def test_the_numbers_are_those_of_the_frames(written):
    folder, returned = written
    report = json.loads((folder / "report.json").read_text())
    assert report == returned
    assert set(report) == KEYS
    assert report["frames"] == 5 and report["complete"] is True
    assert report["tasks"]["depth"]["abs_rel"] == pytest.approx(0.1, rel=1e-5)
    assert report["tasks"]["segmentation"]["miou"] == 1.0
    assert {name: set(v) for name, v in report["tasks"].items()} == {
        task.name: set(task.metrics) for task in ALL_TASKS
    }
    assert report["disagreement"]["depth"] == pytest.approx(0.1 * 20 / 20, rel=1e-5)
    assert report["latency_ms"]["total"] == pytest.approx(
        {"mean": 4.0, "p50": 4.0, "p95": 5.8, "p99": 5.96, "max": 6.0}, rel=1e-3
    )
    assert report["dirty_fraction"] == pytest.approx({"mean": (1 + 4 * 0.25) / 5, "max": 1.0})


def test_each_frame_has_its_figures(written):
    per_frame = written[1]["per_frame"]
    assert per_frame["frames_per_entry"] == 1
    figures = per_frame["figures"]
    assert figures["ms.total"] == [2.0, 3.0, 4.0, 5.0, 6.0]
    assert figures["ms.stem"] == [1.0] * 5 and figures["dense.ms.total"] == [9.0] * 5
    assert figures["dirty_fraction"] == [1.0] + [0.25] * 4
    assert figures["depth.abs_rel"] == pytest.approx([0.1] * 5, rel=1e-5)
    assert figures["dense.depth.abs_rel"] == [0.0] * 5
    assert figures["segmentation.miou"] == [1.0] * 5
    assert figures["disagreement.depth"] == pytest.approx([0.1] * 5, rel=1e-5)


def test_the_same_frames_give_the_same_files(tmp_path, written, scores):
    write_report(tmp_path, RUN, scores, manifest())
    for name in ("report.json", "index.html"):
        assert (tmp_path / name).read_bytes() == (written[0] / name).read_bytes()


def test_a_run_that_was_stopped_says_so_in_both_files(tmp_path, scores, written):
    stop = KeyboardInterrupt("interrupted after 5 of 9 frames")
    report = write_report(tmp_path, RUN, scores, manifest(), stop=stop)
    assert report["complete"] is False
    assert report["stopped"] == "interrupted after 5 of 9 frames"
    page = (tmp_path / "index.html").read_text()
    assert re.search(r'role="alert"><b>Partial:</b> 5 frames. interrupted after 5 of 9', page)
    assert "Partial" not in (written[0] / "index.html").read_text()


def test_a_report_that_can_not_be_written_leaves_the_one_before(
    tmp_path, scores, monkeypatch, no_page
):
    write_report(tmp_path, RUN, scores, manifest())
    before = (tmp_path / "index.html").read_bytes()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_report(tmp_path, RUN, scores_of(outcome(7)), manifest())
    assert (tmp_path / "index.html").read_bytes() == before


def test_a_run_through_the_node_reports_what_became_of_the_frames(tmp_path, scores):
    stages = {"total": {"p50": 1.0, "p95": 2.0, "p99": 3.0}}
    recording = Recording({"sent": 9, "received": 8, "processed": 5, "dropped": 3}, stages)
    numbers = write_report(tmp_path, RUN, scores, manifest(), recording=recording)
    assert numbers["delivery"]["dropped"] == 3
    assert numbers["latency_ms"] == stages
    assert re.search(r"dropped\s*<b>3</b>", (tmp_path / "index.html").read_text())


def test_pools_are_reported_by_themselves(tmp_path, scores):
    pools = {"A": {"frames": 5, "tasks": scores.accuracy.result()}}
    numbers = write_report(tmp_path, RUN, scores, manifest(), more={"pools": pools})
    assert numbers["pools"] == {"A": {"frames": 5, "tasks": numbers["tasks"]}}
    assert "texture pool" in (tmp_path / "index.html").read_text()


def test_a_number_that_is_not_finite_fails_and_writes_nothing(tmp_path, scores):
    scores.latency.update({"total": float("nan")})
    with pytest.raises(JobError, match="clip.mcap: latency_ms: total: mean is nan"):
        write_report(tmp_path / "report", RUN, scores, manifest())
    assert not (tmp_path / "report").exists()


def test_no_frame_fails(tmp_path):
    with pytest.raises(JobError, match="no frame"):
        write_report(tmp_path, RUN, Scores(ALL_TASKS), manifest())


def test_the_worst_frames_are_listed_by_reason(tmp_path, no_page):
    run = [outcome(index, off=3.0 if index == 40 else 1.1) for index in range(0, 80, 40)]
    scores = Scores(ALL_TASKS)
    for index, one in enumerate(run):
        scores.update(one)
        if not index:
            # Frames far apart: neighbours are not listed twice.
            scores.frames = 40
    worst = write_report(tmp_path, RUN, scores, manifest())["worst_frames"]
    assert worst == {
        "depth": [0, 40],
        "normals": [0, 40],
        "segmentation": [0, 40],
        "slowest": [40],
    }


def test_a_reason_without_a_frame_is_not_listed(tmp_path, no_page):
    scores = Scores(ALL_TASKS)
    frame = outcome(0)
    scores.update(Outcome(frame.rgb, frame.predictions, {"depth": frame.truths["depth"]}))
    numbers = write_report(tmp_path, replace(RUN, frames=None), scores, manifest())
    assert numbers["worst_frames"] == {"depth": [0]}
    assert numbers["truth_frames"] == {"normals": 0, "depth": 1, "segmentation": 0}
    assert "expected_frames" not in numbers and "stopped" not in numbers


def test_names_with_bytes_that_are_no_text_can_be_written(tmp_path, scores, no_page):
    run = replace(RUN, source=b"clip\xff.mcap".decode("utf-8", "surrogateescape"))
    write_report(tmp_path, run, scores, manifest())
    assert r"clip\udcff.mcap" in (tmp_path / "index.html").read_text()
