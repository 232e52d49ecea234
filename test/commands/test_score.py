"""`mtshare boundary-score`; `mtshare evaluate` is held beside its job."""

import importlib
import json
from pathlib import Path

import pytest

from mtshare_ros import cli
from mtshare_ros.commands import score
from mtshare_ros.errors import JobError, OptionError
from mtshare_ros.evaluation.bag_frames import BagFrames
from mtshare_ros.evaluation.image_sets import ImageFrames
from mtshare_ros.evaluation.run_options import Options
from mtshare_ros.evaluation.stopping import StoppedEarly
from support.line_drawings import write_folders


def test_folders_are_scored_at_each_tolerance(capsys, tmp_path):
    # The diagonal is 80: 3 pixels are 0.0375 of it.
    output = tmp_path / "score.json"
    distances = ["--max-distance", "0.03", "--max-distance", "0.04"]
    command = [
        "boundary-score",
        *map(str, write_folders(tmp_path)),
        *distances,
        "--output",
        str(output),
    ]
    assert cli.run(command) == 0
    strict, loose = json.loads(output.read_text())["scores"]
    assert strict == {
        "max_distance": 0.03,
        "ods_f": pytest.approx(0.5),
        "threshold": 0.001,
        "precision": pytest.approx(0.5),
        "recall": pytest.approx(0.5),
        "images": 2,
    }
    assert loose["ods_f"] == 1.0
    assert "0.5000" in capsys.readouterr().out


BAG = "--bag x.mcap"
ROOMS = "--dataset rooms --root x"


@pytest.mark.parametrize(
    ("given", "option"),
    [
        (f"{BAG} --split train", "--split"),
        (f"{BAG} --protocol mtl", "--protocol"),
        (f"{BAG} --names x", "--names"),
        (f"{BAG} --normal-axes xyz", "--normal-axes"),
        (f"{BAG} --policy hold:2 --max-dirty-fraction 0.5", "--max-dirty-fraction"),
        (f"{BAG} --bag y.mcap --ray local --workers 2", "--workers"),
        (f"{ROOMS} --record x", "--record"),
        (f"{ROOMS} --topic x", "--topic"),
        (f"{ROOMS} --intrinsics k", "--intrinsics"),
        (f"{ROOMS} --workers 2", "--workers"),
        (f"{ROOMS} --ray local", "--ray"),
        (f"{ROOMS} --policy hold:2", "--policy"),
        (f"{ROOMS} --max-dirty-fraction 0.5", "--max-dirty-fraction"),
        (f"{ROOMS} --split train", "--split"),
        (f"{ROOMS} --names x", "--names"),
    ],
)
def test_an_option_that_would_be_passed_over_is_refused(capsys, tmp_path, given, option):
    output = tmp_path / "out"
    assert cli.run(["evaluate", "missing", *given.split(), "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {option}: ") and error.count("\n") == 1
    assert not output.exists()


def test_both_commands_of_the_room_are_there():
    assert {score.evaluate, score.boundary_score} < set(cli.COMMANDS[cli.RESEARCH])


@pytest.fixture
def scored(monkeypatch):
    """What the job was called with; its result is a report of nothing."""
    asked = {}

    def pretend(bundle, source, output, options, on_frame, record=None):
        asked.update(bundle=bundle, source=source, output=output, options=options, record=record)
        if "stop" in asked:
            raise asked["stop"]
        return REPORT

    job = importlib.import_module("mtshare_ros.evaluation.evaluate")
    monkeypatch.setattr(job, "evaluate", pretend)
    return asked


REPORT = {
    "frames": 7, "engine": "onnxruntime", "complete": True, "tasks": {}, "baselines": {},
    "latency_ms": {}, "disagreement": {}, "dirty_fraction": {},
}  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "either --bag BAG, or --dataset NAME"),
        ("--bag a --dataset nyud --root r", "either --bag BAG, or --dataset NAME"),
        ("--bag a --root r", "either --bag BAG, or --dataset NAME"),
        ("--dataset nyud", "either --bag BAG, or --dataset NAME"),
        ("--bag a --bag b --record c", "--record: expected with one --bag"),
        ("--dataset nyud --root a --root b", "--root: found 2, expected one for nyud"),
        ("--dataset rooms --root a --baseline hold:2", "--baseline: expected with --bag"),
    ],
)
def test_options_that_do_not_go_together_are_named(scored, capsys, tmp_path, options, said):
    assert cli.run(["evaluate", "b", "--output", str(tmp_path / "o"), *options.split()]) == 2
    assert said in capsys.readouterr().err
    assert not scored and not (tmp_path / "o").exists()


def test_a_bag_is_scored_with_the_options_that_are_given(scored, capsys, tmp_path):
    words = f"evaluate b --output {tmp_path} --bag a --topic /t --intrinsics k --record r"
    more = "--policy change --baseline hold:2 --engine torch --max-dirty-fraction 0.5 --threads 3"
    assert cli.run([*words.split(), *more.split()]) == 0
    assert scored["options"] == Options("change", "torch", 0.5, 3, ("hold:2",))
    source = scored["source"]
    assert (source.func, source.args) == (BagFrames, (Path("a"), "/t"))
    assert source.keywords == {"intrinsics": "k"} and scored["record"] == Path("r")
    assert capsys.readouterr().out.endswith(f"{tmp_path / 'index.html'}\n")


def test_images_are_those_of_the_split_by_the_protocol_and_dense(scored, monkeypatch, tmp_path):
    opened = []

    class Images:
        def only(self, names):
            return ("only", names)

    kinds = importlib.import_module("mtshare_ros.datasets.image_sets.kinds")
    monkeypatch.setattr(kinds, "open_images", lambda *a: opened.append(a) or Images())
    words = f"evaluate b --output {tmp_path} --dataset nyud --root r --split train --protocol mtl"
    assert cli.run([*words.split(), "--names", "n.txt", "--normal-axes", "x y z"]) == 0
    assert opened == [("nyud", Path("r"), "train", "x y z")]
    assert scored["source"].func is ImageFrames
    assert scored["source"].args == (("only", Path("n.txt")), "nyud", "mtl")
    assert scored["options"] == Options(policy="dense")


@pytest.mark.parametrize(
    ("reason", "status", "said"),
    [
        (KeyboardInterrupt("interrupted after 7 of 9 frames"), 130, "interrupted after 7 of 9"),
        (JobError("out of memory"), 1, "out of memory"),
        (OptionError("bag a: is cut off"), 2, "bag a: is cut off"),
    ],
)
def test_a_run_that_was_stopped_shows_its_numbers_and_ends_as_its_reason(
    scored, capsys, tmp_path, reason, status, said
):
    partial = {**REPORT, "complete": False}
    scored["stop"] = StoppedEarly(partial, reason, tmp_path)
    assert cli.run(["evaluate", "b", "--output", str(tmp_path), "--bag", "a"]) == status
    captured = capsys.readouterr()
    assert captured.out.startswith("PARTIAL: 7 frames") and "index.html" in captured.out
    assert captured.err.startswith(f"error: {said}") and captured.err.count("\n") == 1


@pytest.mark.parametrize("options", ["--bag a --bag c --workers 3", "--bag a --bag c --ray local"])
def test_many_bags_are_summed_up_with_their_warnings(
    scored, capsys, monkeypatch, tmp_path, options
):
    asked = []

    def pretend(*arguments):
        asked.append(arguments[:-1])
        bags = {
            "a": {"state": "done", "frames": 4, "warnings": ["no camera_info"]},
            "c": {"state": "failed", "error": "is cut off"},
        }
        return {"bags": bags, "mean": {"depth": {"abs_rel": 0.123456}}}

    job = importlib.import_module("mtshare_ros.evaluation.many_bags")
    monkeypatch.setattr(job, "evaluate_bags", pretend)
    words = f"evaluate b --output {tmp_path} --topic /t --intrinsics p {options}"
    assert cli.run(words.split()) == 1
    workers, ray = (3, None) if "--workers" in options else (1, "local")
    bags = [Path("a"), Path("c")]
    assert asked == [(Path("b"), bags, tmp_path, Options(), workers, ray, "/t", "p")]
    captured = capsys.readouterr()
    assert captured.err == "warning: a: no camera_info\nerror: 1 of 2 bags failed: c\n"
    assert "is cut off" in captured.out and "0.1235" in captured.out
    assert f"{tmp_path / 'summary.json'}\n" in captured.out and not scored


def test_boundaries_are_scored_at_the_tolerance_of_nyud_unless_another_is_given(
    capsys, monkeypatch, tmp_path
):
    asked = []
    job = importlib.import_module("mtshare_ros.metrics.boundary_files")

    def pretend(*arguments):
        asked.append(arguments[:-1])
        return [job.BoundaryScore(0.011, 0.1235, 0.5, 0.25, 0.75, 2)]

    monkeypatch.setattr(job, "score_folders", pretend)
    folders = (tmp_path / "p", tmp_path / "t")
    command = ["boundary-score", *map(str, folders)]
    assert cli.run(command) == 0
    more = "--outline --names n.txt --workers 3 --max-distance 0.0075"
    assert cli.run([*command, *more.split()]) == 0
    names = Path("n.txt")
    assert asked == [(*folders, [0.011], False, None, 2), (*folders, [0.0075], True, names, 3)]
    out = capsys.readouterr().out
    assert "2 images" in out and "0.1235" in out and "0.7500" in out
