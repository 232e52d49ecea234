"""The report: keys for programs, and a page that holds all it needs."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mtshare_ros.errors import JobError
from mtshare_ros.evaluation.outcome import Outcome, to_size
from mtshare_ros.evaluation.pictures import map_pictures
from mtshare_ros.evaluation.report.overview import write_overview
from mtshare_ros.evaluation.report.report_files import write_report
from mtshare_ros.evaluation.scores import Recording, Scores
from mtshare_ros.metrics.names import METRICS
from mtshare_ros.tasks import TASKS, UNLABELLED
from support.report_files import ALL_TASKS, RUN, SIZE, manifest, outcome, scores_of

KEYS = {
    "frames", "complete", "expected_frames", "tasks", "disagreement", "latency_ms",
    "dirty_fraction", "engine", "policy", "bundle", "baselines", "worst_frames", "per_frame",
}  # fmt: skip


@pytest.fixture
def scores() -> Scores:
    return scores_of(*(outcome(index) for index in range(5)))


def data_of(page: Path) -> Any:
    """Return what the page's script works on."""
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text()
    )
    assert found is not None
    return json.loads(found.group(1))


def test_the_numbers_are_those_of_the_frames(tmp_path, scores):
    returned = write_report(tmp_path, RUN, scores, manifest())
    report = json.loads((tmp_path / "report.json").read_text())
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


def test_each_frame_has_its_figures(tmp_path, scores):
    per_frame = write_report(tmp_path, RUN, scores, manifest())["per_frame"]
    assert per_frame["frames_per_entry"] == 1
    figures = per_frame["figures"]
    assert figures["ms.total"] == [2.0, 3.0, 4.0, 5.0, 6.0]
    assert figures["ms.stem"] == [1.0] * 5 and figures["dense.ms.total"] == [9.0] * 5
    assert figures["dirty_fraction"] == [1.0] + [0.25] * 4
    assert figures["depth.abs_rel"] == pytest.approx([0.1] * 5, rel=1e-5)
    assert figures["dense.depth.abs_rel"] == [0.0] * 5
    assert figures["segmentation.miou"] == [1.0] * 5
    assert figures["disagreement.depth"] == pytest.approx([0.1] * 5, rel=1e-5)


def test_a_baseline_is_in_the_report_and_beside_the_run_in_the_table(tmp_path, scores):
    report = write_report(tmp_path, RUN, scores, manifest())
    dense = report["baselines"]["dense"]
    assert dense["tasks"]["depth"]["abs_rel"] == 0.0
    assert dense["latency_ms"]["total"]["mean"] == 9.0
    page = (tmp_path / "index.html").read_text()
    table = re.search(r'<table id="accuracy">(.*?)</table>', page, re.S)
    assert table is not None
    assert re.findall(r"<th>(.*?)</th>", table.group(1))[1:] == ["this run", "dense"]
    row = re.search(r"AbsRel ↓</td>(.*?)</tr>", table.group(1), re.S)
    # The better one is bold.
    assert row is not None
    assert re.findall(r"<td(.*?)>(.*?)</td>", row.group(1)) == [
        ("", "0.100"), (' class="best"', "0.000")
    ]  # fmt: skip
    time = re.search(r"mean, ms ↓</td>(.*?)</tr>", table.group(1), re.S)
    assert time is not None
    assert re.findall(r"<td(.*?)>(.*?)</td>", time.group(1))[0] == (' class="best"', "4.0")


def test_the_page_needs_no_other_file_and_holds_the_pictures(tmp_path, scores):
    write_report(tmp_path, RUN, scores, manifest())
    page = (tmp_path / "index.html").read_text()
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert not re.search(r"url\((?!#)", page) and "@import" not in page
    assert "A &lt;test&gt;." in page and "models/&lt;b&gt;&amp;co" in page
    frames = data_of(tmp_path / "index.html")["frames"]
    assert [frame["index"] for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame["label"] for frame in frames][:2] == ["0.00 s", "0.03 s"]
    for frame in frames:
        assert set(frame["pictures"]) == {"camera", "dirty", "normals", "depth", "segmentation"}
        for task in ALL_TASKS:
            assert set(frame["pictures"][task.name]) == {"prediction", "truth", "error"}
        for kinds in frame["pictures"].values():
            for source in kinds.values():
                assert decoded(source).shape == (*SIZE, 3)
    assert page.count("<svg") == 4  # Two plots, wide and narrow.


def decoded(source: str) -> Any:
    """Return an embedded picture, RGB."""
    data = base64.b64decode(source.removeprefix("data:image/webp;base64,"))
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(found, cv2.COLOR_BGR2RGB)


def test_the_colours_of_classes_are_embedded_as_they_are(tmp_path, scores):
    write_report(tmp_path, RUN, scores, manifest())
    source = data_of(tmp_path / "index.html")["frames"][2]["pictures"]["segmentation"]["truth"]
    palette = np.array(TASKS["segmentation"].palette, np.uint8)
    assert np.array_equal(decoded(source)[4:], palette[outcome(2).truths["segmentation"][4:]])


def test_a_name_with_markup_stays_text(tmp_path):
    bad = outcome(0)
    label = "</script><script>alert(1)</script>"
    named = Outcome(bad.rgb, bad.predictions, bad.truths, bad.dirty, bad.milliseconds, label=label)
    write_report(tmp_path, RUN, scores_of(named), manifest())
    assert "alert(1)</script>" not in (tmp_path / "index.html").read_text()
    assert data_of(tmp_path / "index.html")["frames"][0]["label"] == label


def test_frames_without_truth_still_make_a_page(tmp_path):
    known = outcome(0)
    bare = Scores(ALL_TASKS)
    bare.update(Outcome(known.rgb, known.predictions, {}, known.dirty, {"total": 1.0}))
    assert write_report(tmp_path, RUN, bare, manifest())["tasks"] == {}
    assert "no ground truth" in (tmp_path / "index.html").read_text()


def test_the_same_frames_give_the_same_files(tmp_path):
    for name in ("a", "b"):
        scores = scores_of(*(outcome(index) for index in range(5)))
        write_report(tmp_path / name, RUN, scores, manifest())
    for name in ("report.json", "index.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_run_that_was_stopped_says_so_in_both_files(tmp_path, scores):
    stop = KeyboardInterrupt("interrupted after 5 of 9 frames")
    report = write_report(tmp_path, RUN, scores, manifest(), stop=stop)
    assert report["complete"] is False
    assert report["stopped"] == "interrupted after 5 of 9 frames"
    page = (tmp_path / "index.html").read_text()
    assert re.search(r'role="alert"><b>Partial:</b> 5 frames. interrupted after 5 of 9', page)
    write_report(tmp_path, RUN, scores, manifest())
    assert "Partial" not in (tmp_path / "index.html").read_text()


def test_a_report_that_can_not_be_written_leaves_the_one_before(tmp_path, scores, monkeypatch):
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
    with pytest.raises(JobError, match="total: mean is nan"):
        write_report(tmp_path / "report", RUN, scores, manifest())
    assert not (tmp_path / "report").exists()


def test_no_frame_fails(tmp_path):
    with pytest.raises(JobError, match="no frame"):
        write_report(tmp_path, RUN, Scores(ALL_TASKS), manifest())


def test_every_metric_of_every_task_has_a_name_on_the_page():
    assert {key for task in TASKS.values() for key in task.metrics} == set(METRICS)


def test_page_and_task_agree_on_whether_a_higher_main_metric_is_better():
    for task in TASKS.values():
        assert METRICS[task.metrics[0]][3] == task.higher_is_better


def test_the_coldest_colour_is_that_of_the_farthest_depth_of_all_maps():
    near, far = np.full((2, 2), 1.5, np.float32), np.full((2, 2), 7.5, np.float32)
    far[0] = np.nan
    other = np.full((2, 2), 90.0, np.float32)
    maps = [{"depth": near, "normals": other}, {}, {"depth": far}]
    assert map_pictures.far_depth(ALL_TASKS, maps) == 8.0
    assert map_pictures.far_depth(ALL_TASKS, [{"depth": np.full((2, 2), np.nan)}]) == 10.0


def test_errors_are_dark_where_right_bright_where_wrong_and_grey_without_truth():
    truth = np.array([[1, 1, UNLABELLED]], np.uint8)
    prediction = np.array([[1, 2, 1]], np.uint8)
    right, wrong, unknown = map_pictures.error_picture(TASKS["segmentation"], prediction, truth)[0]
    assert right.sum() < 20 and wrong.sum() > 500
    assert tuple(unknown) == map_pictures.NO_TRUTH
    depth = map_pictures.error_picture(
        TASKS["depth"], np.array([[1.0, 9.0, np.nan]]), np.array([[1.0, 1.0, 1.0]])
    )[0]
    assert depth[0].sum() < 20 and depth[1].sum() > 500 and depth[2].sum() > 500


def test_maps_are_resized_without_inventing_values():
    labels = np.array([[3, 9], [9, 3]], np.uint8)
    assert set(np.unique(to_size(labels, (7, 5)))) == {3, 9}
    assert to_size(np.zeros((2, 2, 3), np.float32), (4, 6)).shape == (4, 6, 3)


def test_the_overview_shows_frame_predictions_and_truth(tmp_path):
    path = tmp_path / "overview.png"
    write_overview(path, outcome(1), ALL_TASKS)
    picture = cv2.imread(str(path))
    assert picture.shape[1] > 1000
    assert picture.std() > 20
