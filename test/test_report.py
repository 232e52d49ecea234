"""The report: keys for programs, and a page that a browser shows without a network."""

import base64
import json
import re
import shutil
import subprocess

import cv2
import numpy as np
import pytest

from mtshare_ros.errors import JobError
from mtshare_ros.evaluation import pictures
from mtshare_ros.evaluation.overview import write_overview
from mtshare_ros.evaluation.report import METRICS, Recording, Run, write_report
from mtshare_ros.evaluation.scores import Scores, spread, to_size
from mtshare_ros.manifest import InputSpec, LayerShare, Manifest, PrivateShare
from mtshare_ros.tasks import TASKS, UNLABELLED

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
HOUSE_KEYS = {
    "frames", "tasks", "disagreement", "latency_ms", "dirty_fraction", "engine", "policy", "bundle"
}  # fmt: skip
ALL_TASKS = (TASKS["normals"], TASKS["depth"], TASKS["segmentation"])
RUN = Run("models/<b>&co", "onnxruntime", "tokens", "clip.mcap")


@pytest.fixture(scope="module")
def manifest():
    share = PrivateShare(0.32, (LayerShare(1, 64), LayerShare(0, 32)))
    private = {"depth": share, "segmentation": share}
    spec = InputSpec(32, 24, (120.0,) * 3, 1 / 60, 16, 4, 0.8)
    return Manifest(1, "test", "A <test>.", spec, {}, ALL_TASKS, {}, private, {})


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    scores = Scores(ALL_TASKS, spread(5, 2))
    for index in range(5):
        normals = rng.normal(size=(24, 32, 3)).astype(np.float32)
        truths = {
            "normals": normals / np.linalg.norm(normals, axis=-1, keepdims=True),
            "depth": rng.uniform(1, 5, (24, 32)).astype(np.float32),
            "segmentation": rng.integers(0, 3, (24, 32)).astype(np.uint8),
        }
        truths["depth"][:4] = np.nan
        truths["segmentation"][:4] = UNLABELLED
        predictions = {**truths, "depth": truths["depth"] * 1.1}
        rgb = rng.integers(0, 255, (24, 32, 3)).astype(np.uint8)
        dirty = np.ones((3, 4), bool) if index == 0 else np.eye(3, 4, dtype=bool)
        scores.update(rgb, predictions, truths, dirty, {"stem": 1.0, "total": 2.0 + index})
        scores.compare(predictions, truths, {"total": 9.0})
    return scores


def test_the_numbers_are_those_of_the_frames(tmp_path, scores, manifest):
    returned = write_report(tmp_path, RUN, scores, manifest)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report == returned
    assert set(report) == HOUSE_KEYS
    assert report["frames"] == 5
    assert report["tasks"]["depth"]["rmse"] > 0
    assert report["tasks"]["segmentation"]["miou"] == 1.0
    assert {name: set(v) for name, v in report["tasks"].items()} == {
        task.name: set(task.metrics) for task in ALL_TASKS
    }
    assert report["disagreement"]["depth"] == pytest.approx(0.1 * 20 / 20, rel=1e-5)
    assert report["latency_ms"]["total"] == pytest.approx(
        {"mean": 4.0, "p50": 4.0, "p95": 5.8, "p99": 5.96, "max": 6.0}
    )
    assert report["dirty_fraction"] == pytest.approx({"mean": (1 + 4 * 0.25) / 5, "max": 1.0})


def test_the_page_needs_no_other_file_and_holds_the_pictures(tmp_path, scores, manifest):
    write_report(tmp_path, RUN, scores, manifest)
    page = (tmp_path / "index.html").read_text()
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert "A &lt;test&gt;." in page and "models/&lt;b&gt;&amp;co" in page
    images = re.findall(r'src="data:image/(?:png|jpeg);base64,([^"]+)"', page)
    # Two examples: frame, dirty tokens, and three tasks with prediction, truth and error.
    assert len(images) == 2 * (2 + 3 * 3)
    for image in images:
        decoded = cv2.imdecode(np.frombuffer(base64.b64decode(image), np.uint8), cv2.IMREAD_COLOR)
        assert decoded.shape == (24, 32, 3)
    assert page.count("<svg") == 2


def test_frames_without_truth_still_make_a_page(tmp_path, scores, manifest):
    bare = Scores(ALL_TASKS, (0,))
    example = scores.examples[0]
    bare.update(example.rgb, example.predictions, {}, example.dirty, {"total": 1.0})
    assert write_report(tmp_path, RUN, bare, manifest)["tasks"] == {}
    assert "no ground truth" in (tmp_path / "index.html").read_text()


def test_a_run_through_the_node_reports_what_became_of_the_frames(tmp_path, scores, manifest):
    stages = {"total": {"p50": 1.0, "p95": 2.0, "p99": 3.0}}
    recording = Recording({"sent": 9, "received": 8, "processed": 5, "dropped": 3}, stages)
    numbers = write_report(tmp_path, RUN, scores, manifest, recording=recording)
    assert numbers["delivery"]["dropped"] == 3
    assert numbers["latency_ms"] == stages
    assert re.search(r"dropped\s*<b>3</b>", (tmp_path / "index.html").read_text())


def test_pools_are_reported_by_themselves(tmp_path, scores, manifest):
    numbers = write_report(tmp_path, RUN, scores, manifest, pools={"A": scores})
    assert numbers["pools"] == {"A": {"frames": 5, "tasks": numbers["tasks"]}}
    assert "texture pool" in (tmp_path / "index.html").read_text()


def test_a_number_that_is_not_finite_fails_and_writes_nothing(tmp_path, scores, manifest):
    scores.latency.update({"total": float("nan")})
    with pytest.raises(JobError, match="total: mean is nan"):
        write_report(tmp_path / "report", RUN, scores, manifest)
    assert not (tmp_path / "report").exists()


def test_no_frame_fails(tmp_path, manifest):
    with pytest.raises(JobError, match="no frame"):
        write_report(tmp_path, RUN, Scores(ALL_TASKS, ()), manifest)


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
    assert pictures.far_depth(ALL_TASKS, maps) == 8.0
    assert pictures.far_depth(ALL_TASKS, [{"depth": np.full((2, 2), np.nan)}]) == 10.0


def test_errors_are_dark_where_right_bright_where_wrong_and_grey_without_truth():
    truth = np.array([[1, 1, UNLABELLED]], np.uint8)
    prediction = np.array([[1, 2, 1]], np.uint8)
    right, wrong, unknown = pictures.error_picture(TASKS["segmentation"], prediction, truth)[0]
    assert right.sum() < 20 and wrong.sum() > 500
    assert tuple(unknown) == pictures.NO_TRUTH
    depth = pictures.error_picture(
        TASKS["depth"], np.array([[1.0, 9.0, np.nan]]), np.array([[1.0, 1.0, 1.0]])
    )[0]
    assert depth[0].sum() < 20 and depth[1].sum() > 500 and depth[2].sum() > 500


def test_maps_are_resized_without_inventing_values():
    labels = np.array([[3, 9], [9, 3]], np.uint8)
    assert set(np.unique(to_size(labels, (7, 5)))) == {3, 9}
    assert to_size(np.zeros((2, 2, 3), np.float32), (4, 6)).shape == (4, 6, 3)


def test_examples_are_spread_over_the_run():
    assert spread(100, 4) == [0, 33, 66, 99]
    assert spread(2, 4) == [0, 1]
    assert spread(0, 4) == []


def test_the_overview_shows_frame_predictions_and_truth(tmp_path, scores):
    path = tmp_path / "overview.png"
    write_overview(path, scores.examples[1], ALL_TASKS)
    picture = cv2.imread(str(path))
    assert picture.shape[1] > 1000
    assert picture.std() > 20


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine (apt install chromium)")
def test_a_browser_shows_the_page_with_all_pictures_and_no_error(tmp_path, scores, manifest):
    write_report(tmp_path, RUN, scores, manifest)
    page = tmp_path / "index.html"
    script = (
        "<script>addEventListener('load', () => { const images = [...document.images];"
        " document.body.dataset.seen = images.filter(i => i.naturalWidth === 32).length"
        " + ' of ' + images.length + ', wide ' + (document.documentElement.scrollWidth >"
        " innerWidth); })</script>"
    )
    page.write_text(page.read_text().replace("</body>", f"{script}</body>"))
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
        "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1200,900",
        "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    assert 'data-seen="22 of 22, wide false"' in shown
