"""The page of a report: it needs no other file, and shows what the numbers say."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mtshare_ros.evaluation.outcome import Outcome
from mtshare_ros.evaluation.pictures.depth_colours import DepthColours
from mtshare_ros.evaluation.report import report_plots
from mtshare_ros.evaluation.report.page import THIS_RUN, _shown, _table, page
from mtshare_ros.evaluation.report.report_files import write_report
from mtshare_ros.evaluation.scores import Scores
from mtshare_ros.metrics.names import METRICS
from mtshare_ros.tasks import KINDS, TASKS
from support.report_files import ALL_TASKS, RUN, SIZE, manifest, outcome, scores_of


@pytest.fixture(scope="module")
def scores() -> Scores:
    return scores_of(*(outcome(index) for index in range(5)))


@pytest.fixture(scope="module")
def numbers(report: Path) -> Any:
    """Return the content of the report's ``report.json``."""
    return json.loads((report / "report.json").read_text())


@pytest.fixture(scope="module")
def report(tmp_path_factory: Any, scores: Scores) -> Path:
    """Return the folder of a report of five frames."""
    folder = tmp_path_factory.mktemp("report")
    write_report(folder, RUN, scores, manifest())
    return Path(folder)


def data_of(path: Path) -> Any:
    """Return what the page's script works on."""
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', path.read_text()
    )
    assert found is not None
    return json.loads(found.group(1))


def test_a_baseline_is_in_the_report_and_beside_the_run_in_the_table(report, numbers):
    dense = numbers["baselines"]["dense"]
    assert dense["tasks"]["depth"]["abs_rel"] == 0.0
    assert dense["latency_ms"]["total"]["mean"] == 9.0
    text = (report / "index.html").read_text()
    table = re.search(r'<table id="accuracy">(.*?)</table>', text, re.S)
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


def test_the_page_needs_no_other_file_and_holds_the_pictures(report):
    text = (report / "index.html").read_text()
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", text)
    assert not re.search(r"url\((?!#)", text) and "@import" not in text
    assert "A &lt;test&gt;." in text and "models/&lt;b&gt;&amp;co" in text
    frames = data_of(report / "index.html")["frames"]
    assert [frame["index"] for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame["label"] for frame in frames][:2] == ["0.00 s", "0.03 s"]
    for frame in frames:
        assert set(frame["pictures"]) == {"camera", "dirty", "normals", "depth", "segmentation"}
        for task in ALL_TASKS:
            assert set(frame["pictures"][task.name]) == {"prediction", "truth", "error"}
        for kinds in frame["pictures"].values():
            for source in kinds.values():
                assert decoded(source).shape == (*SIZE, 3)
    assert text.count("<svg") == 4  # Two plots, wide and narrow.


def decoded(source: str) -> Any:
    """Return an embedded picture, RGB."""
    data = base64.b64decode(source.removeprefix("data:image/webp;base64,"))
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(found, cv2.COLOR_BGR2RGB)


def test_the_colours_of_classes_are_embedded_as_they_are(report):
    source = data_of(report / "index.html")["frames"][2]["pictures"]["segmentation"]["truth"]
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


def test_every_metric_of_every_task_has_a_name_on_the_page():
    assert {key for task in TASKS.values() for key in task.metrics} == set(METRICS)


def test_page_and_task_agree_on_whether_a_higher_main_metric_is_better():
    for task in TASKS.values():
        assert METRICS[task.metrics[0]].higher_is_better == task.higher_is_better


def test_the_page_of_a_run_has_its_frames_and_its_table(report):
    text = (report / "index.html").read_text()
    assert text.startswith("<!doctype html>") and f"<th>{THIS_RUN}</th>" in text
    assert "5 of 5 frames are in this file" in text


def test_the_page_is_that_of_the_numbers(report, scores, numbers, monkeypatch):
    monkeypatch.setattr(report_plots, "_svg", lambda figure: "<svg></svg>")
    tasks = {**numbers["tasks"], "depth": {"abs_rel": 0.25}}
    text = page(RUN, scores, {**numbers, "tasks": tasks}, manifest())
    assert '<div class="value">0.250</div>' in text
    assert text != (report / "index.html").read_text()


def rows_of(scores: Scores) -> dict[str, list[tuple[str | None, bool]]]:
    """Return the rows of the table of accuracy: metric -> (text, whether it is bold)."""
    numbers = {
        "tasks": scores.accuracy.result(),
        "latency_ms": scores.latency.result(),
        "baselines": {name: other.result() for name, other in scores.baselines.items()},
    }
    return {row.metric: row.cells for row in _table(numbers).rows}


def test_equal_texts_are_equally_good_and_one_alone_is_not_the_best():
    alone = Scores(ALL_TASKS)
    alone.update(outcome(0))
    assert not any(best for cells in rows_of(alone).values() for _, best in cells)
    scores = scores_of(outcome(0))
    depth = {"depth": outcome(0).truths["depth"] * np.float32(1.1003)}
    scores.baseline("other", depth, outcome(0).truths, {})
    rows = rows_of(scores)
    assert rows["AbsRel ↓"] == [("0.100", False), ("0.000", True), ("0.100", False)]
    assert rows["mIoU ↑"] == [("100.0 %", True), ("100.0 %", True), (None, False)]
    assert rows["p95, ms ↓"] == [("2.0", True), ("9.0", False), (None, False)]
    assert "mean, ms ↓" in rows


def test_a_frame_has_its_stages_beside_the_total_and_says_what_is_unknown():
    known = outcome(0)
    times = {"end_to_end": 1.006, "total": 7.0}
    scores = Scores(ALL_TASKS)
    scores.update(Outcome(known.rgb, known.predictions, known.truths, None, times))
    scores.update(Outcome(known.rgb, known.predictions, {}, known.dirty))
    first, second = (_shown(k, ALL_TASKS, DepthColours(1, 255)) for k in scores.kept.result())
    assert (first["total"], first["stages"]) == (7.0, {"end to end": 1.01})
    assert first["dirty"] is None and second["dirty"] == 1.0
    assert (second["total"], second["stages"], second["accuracy"]) == (None, {}, {})
    assert first["accuracy"]["segmentation"] == "mIoU 100.0 %"


def test_the_page_explains_colours_shares_and_distances(report, scores, numbers, monkeypatch):
    text = (report / "index.html").read_text()
    assert "Normals: red is right" in text and "<b>Depth</b>" in text
    assert re.search(r"<td>depth</td><td>32\.0 %</td>", text)  # rho is 0.32
    assert f'depth <span class="soft">{KINDS["depth"].disagreement}</span>' in text
    ious = re.findall(r'</span>([\w ]+)<span class="iou">(.*?)</span>', text)
    names = [item.name for item in TASKS["segmentation"].classes]
    # Classes 0 to 2 occur.
    assert ious == [(n, "100 %" if i < 3 else "–") for i, n in enumerate(names)]
    labels = Scores([TASKS["segmentation"]])
    frame = outcome(0)
    labels.update(Outcome(frame.rgb, frame.predictions, {}, frame.dirty))
    monkeypatch.setattr(report_plots, "_svg", lambda figure: "<svg></svg>")
    text = page(RUN, labels, {**numbers, "disagreement": {}}, manifest())
    assert "Normals: red" not in text and "<b>Depth</b>" not in text


def test_a_click_is_read_off_the_axes_of_the_plot_that_is_shown(report):
    text = (report / "index.html").read_text()
    for name, layout in (("wide", report_plots.WIDE), ("narrow", report_plots.NARROW)):
        found = re.search(rf'class="timeline {name}" data-ends="(.*?)"', text)
        assert found is not None
        assert json.loads(found.group(1)) == pytest.approx(layout.ends)
