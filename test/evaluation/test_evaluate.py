"""`mtshare evaluate`, `inspect`, `doctor` and `demo` on a small bundle and a small clip."""

import json
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from mtshare_ros import cli
from mtshare_ros.datasets.bags import topics
from mtshare_ros.evaluation.bag_frames import BagFrames
from mtshare_ros.evaluation.evaluate import evaluate
from mtshare_ros.evaluation.run_options import Options
from mtshare_ros.simulator.clip_bag import ClipWriter
from mtshare_ros.simulator.clips import ClipFrame
from mtshare_ros.simulator.poses import look, robot_intrinsics
from mtshare_ros.simulator.render_stills import render_stills
from mtshare_ros.simulator.simulate import write_clip
from mtshare_ros.tasks import TASKS
from support.bag_files import STEP, camera, camera_info, clip_frame, image, put

SCORED = {name: TASKS[name] for name in ("normals", "depth", "segmentation")}
"""The tasks of the bundle."""
FRAMES = 8
SIZE = (128, 96)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mcap"
    write_clip(path, "static", 200_001, FRAMES, SIZE)
    return path


def run(capsys, *arguments):
    """Return the exit status, stdout and stderr of a command."""
    status = cli.run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_a_bag_is_scored_and_the_report_written(capsys, tmp_path, bundle_path, clip):
    status, out, err = run(
        capsys, "evaluate", bundle_path, "--bag", clip, "--output", tmp_path / "report"
    )
    assert (status, err) == (0, "")
    assert str(tmp_path / "report" / "index.html") in out
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["frames"] == FRAMES
    assert {name: set(values) for name, values in report["tasks"].items()} == {
        name: set(task.metrics) for name, task in SCORED.items()
    }
    assert set(report["disagreement"]) == set(SCORED)
    # The camera stands still: what a token's cache says does not flicker.
    assert set(report["flicker"]) == set(report["flicker_dense"]) == set(SCORED)
    assert report["flicker"]["depth"] < report["flicker_dense"]["depth"]
    assert report["policy"] == "tokens" and report["bundle"] == str(bundle_path)
    total = report["latency_ms"]["total"]
    assert 0 < total["p50"] <= total["p95"] <= total["p99"] <= total["max"]
    assert {"stem", "base", *SCORED} < set(report["latency_ms"])
    # The camera stands still: after the first frame little is computed again.
    assert report["dirty_fraction"]["max"] == 1.0
    assert report["dirty_fraction"]["mean"] < 0.7
    assert report["disagreement"]["depth"] > 0


def report_of(bundle, bag, output, **options):
    """Return the report of a bundle on a bag."""
    return evaluate(bundle, partial(BagFrames, bag, None), output, Options(**options))


def test_the_dense_policy_computes_everything_and_agrees_with_itself(tmp_path, bundle_path, clip):
    report = report_of(bundle_path, clip, tmp_path, policy="dense")
    assert report["dirty_fraction"] == {"mean": 1.0, "max": 1.0}
    assert report["disagreement"] == dict.fromkeys(SCORED, 0.0)


def test_holding_computes_every_third_frame(tmp_path, bundle_path, clip):
    report = report_of(bundle_path, clip, tmp_path, policy="hold:3")
    assert report["dirty_fraction"]["mean"] == pytest.approx(3 / FRAMES)
    assert report["policy"] == "hold:3"
    assert report["frames"] == FRAMES


def test_warped_frames_cost_less_than_computed_ones(tmp_path, bundle_path, clip):
    report = report_of(bundle_path, clip, tmp_path, policy="warp:3")
    assert report["dirty_fraction"]["mean"] == pytest.approx(3 / FRAMES)
    assert report["frames"] == FRAMES and report["disagreement"]


def test_a_budget_lowers_what_is_computed(tmp_path, bundle_path, clip):
    free = report_of(bundle_path, clip, tmp_path)
    tight = report_of(bundle_path, clip, tmp_path, max_dirty_fraction=0.05)
    assert tight["dirty_fraction"]["mean"] < free["dirty_fraction"]["mean"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--policy", "hold:0"], "hold:K"),
        (["--policy", "tokens:3"], "tokens:3"),
        (["--policy", "hold:"], "hold:K"),
        (["--policy", "warp:x"], "warp:K"),
        (["--policy", "hold:2\nhold:3"], "hold:K"),
        (["--engine", "abacus"], "abacus"),
        (["--engine", "cuda"], "expected one of auto, tensorrt"),
        (["--max-dirty-fraction", "1.5"], "1.5"),
        (["--max-dirty-fraction", "nan"], "nan"),
    ],
)
def test_an_option_out_of_range_is_status_2(capsys, tmp_path, bundle_path, clip, options, said):
    output = tmp_path / "report"
    status, _, err = run(
        capsys, "evaluate", bundle_path, "--bag", clip, "--output", output, *options
    )
    assert status == 2
    assert err.count("\n") == 1 and said in err
    assert not output.exists()


def write_frame(path, size, label=0, widths=0.8):
    """Write a bag of one frame: labels of one class, fx in image widths."""
    width, height = size
    rgb = np.full((height, width, 3), 120, np.uint8)
    normals = np.zeros((height, width, 3), np.float32)
    normals[..., 2] = -1
    depth, labels = np.ones((height, width), np.float32), np.full((height, width), label, np.uint8)
    intrinsics = replace(robot_intrinsics(size), fx=widths * width)
    pose = look(np.zeros(3), 0.0, 0.0, 0.0)
    with ClipWriter(path) as writer:
        writer.write(ClipFrame(1, rgb, depth, labels, normals, pose, intrinsics))
    return path


@pytest.mark.parametrize(
    ("frame", "topic"),
    [
        ({"size": (64, 15)}, "camera/image"),
        ({"size": SIZE, "label": 16}, "ground_truth/labels"),
    ],
)
def test_a_bag_that_can_not_be_evaluated_is_one_line_that_names_bag_and_topic(
    capsys, tmp_path, bundle_path, frame, topic
):
    bag, output = write_frame(tmp_path / "bad.mcap", **frame), tmp_path / "report"
    status, _, err = run(capsys, "evaluate", bundle_path, "--bag", bag, "--output", output)
    assert status == 2
    assert err.count("\n") == 1 and f"{bag}: /{topic}: " in err
    assert not output.exists()


def test_the_smallest_image_and_the_longest_lens_that_a_bag_may_have_are_evaluated(
    tmp_path, bundle_path
):
    bag = write_frame(tmp_path / "edge.mcap", (16, 16), label=15, widths=29.9)
    assert report_of(bundle_path, bag, tmp_path)["frames"] == 1


def test_a_bag_with_something_wrong_is_scored_and_what_is_wrong_can_not_be_missed(
    capsys, tmp_path, bundle_path
):
    messages = camera(info=lambda stamp: camera_info(stamp, (640, 480)))
    object.__setattr__(messages[7][2], "step", 7)
    for index in range(6):
        labels = image(clip_frame(index).labels, "mono8", index * STEP + 10**6)
        messages.append(("/ground_truth/labels", topics.RAW_TYPE, labels))
        depth = image(clip_frame(index).depth, "32FC1", index * STEP + 10**9)
        messages.append(("/ground_truth/depth", topics.RAW_TYPE, depth))
    put(tmp_path / "bag", messages)
    output = tmp_path / "report"
    command = ["evaluate", bundle_path, "--bag", tmp_path / "bag", "--output", output]
    status, out, err = run(capsys, *command)
    assert status == 0
    calibration, truth, unread = err.splitlines()
    assert "/camera/camera_info: none of 6 messages can be used: camera_info is" in calibration
    assert truth.startswith("warning: /ground_truth/depth: none of 6 messages of truth used")
    assert "/camera/image: 1 of 6 messages can't be used: 0.099999999 s: step 7" in unread
    assert "5, up to 1.000 ms off" in out
    report = json.loads((output / "report.json").read_text())
    assert [f"warning: {text}" for text in report["warnings"]] == err.splitlines()
    assert (report["frames"], report["expected_frames"], report["complete"]) == (5, 6, True)
    assert report["truth_frames"] == {"normals": 0, "depth": 0, "segmentation": 5}
    assert report["truth_offset_ms"] == {"segmentation": 1.0} and report["intrinsics"] is None
    assert set(report["tasks"]) == {"segmentation"}
    page = (output / "index.html").read_text()
    assert page.count("<b>Warning:</b>") == 3 and "none of 6 messages of truth used" in page
    assert "truth of segmentation <b>5</b> frames, stamps up to <b>1.000 ms</b> off" in page


@pytest.mark.parametrize(
    ("change", "said"), [({"version": 99}, "99"), ({"classes": ["sky", "road"]}, "sky, road")]
)
def test_rooms_of_another_version_or_of_other_classes_are_status_2(
    capsys, tmp_path, bundle_path, change, said
):
    render_stills(tmp_path / "rooms", range(200_000, 200_001), 1, (48, 36), 1)
    meta = tmp_path / "rooms" / "meta.json"
    meta.write_text(json.dumps({**json.loads(meta.read_text()), **change}))
    capsys.readouterr()  # The progress of rendering.
    chosen = ["--dataset", "rooms", "--root", tmp_path / "rooms"]
    status, _, err = run(capsys, "evaluate", bundle_path, *chosen, "--output", tmp_path / "out")
    assert status == 2
    assert err.count("\n") == 1 and said in err and "rooms" in err


def test_rooms_are_scored_by_texture_pool(capsys, tmp_path, bundle_path):
    for pool in ("A", "B"):
        render_stills(tmp_path / pool, range(200_000, 200_001), 2, SIZE, 1, pool)
    roots = ["--root", tmp_path / "A", "--root", tmp_path / "B"]
    output = tmp_path / "report"
    status, _, _ = run(
        capsys, "evaluate", bundle_path, "--dataset", "rooms", *roots, "--output", output
    )
    assert status == 0
    report = json.loads((output / "report.json").read_text())
    assert report["frames"] == 4 and report["policy"] == "dense"
    assert {name: part["frames"] for name, part in report["pools"].items()} == {"A": 2, "B": 2}
    assert report["pools"]["A"]["tasks"] != report["pools"]["B"]["tasks"]


def test_inspect_shows_tasks_shares_and_graphs(capsys, bundle_path):
    status, out, _ = run(capsys, "inspect", bundle_path)
    assert status == 0
    for word in ("normals", "depth", "segmentation", "base.onnx", "1 heads, 32 neurons", "48"):
        assert word in out


def test_a_bundle_that_was_tampered_with_is_status_2(capsys, tmp_path, bundle_path):
    broken = tmp_path / "broken"
    shutil.copytree(bundle_path, broken)
    with (broken / "base.onnx").open("r+b") as file:
        file.seek(200)
        file.write(b"\0\0\0\0")
    status, _, err = run(capsys, "inspect", broken)
    assert status == 2
    assert "base.onnx" in err and err.count("\n") == 1


def test_the_doctor_finds_this_machine_fit_and_a_missing_bundle_not(capsys, tmp_path, bundle_path):
    status, out, _ = run(capsys, "doctor", bundle_path, "--for", "train")
    assert status == 0
    assert "MISSING" not in out
    status, out, err = run(capsys, "doctor", tmp_path / "nothing")
    assert status == 1
    assert "MISSING" in out and "nothing" in err
