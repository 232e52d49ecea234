"""Baselines that an evaluation runs on the same frames."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtshare_ros import cli
from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation.baselines import Baselines, _common
from mtshare_ros.evaluation.frames import InputFrame
from mtshare_ros.evaluation.outcome import Outcome
from mtshare_ros.evaluation.policies import open_stream
from mtshare_ros.evaluation.run_options import Options
from mtshare_ros.evaluation.scores import Scores
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.tasks import TASKS
from support.evaluations import evaluate_bag
from support.samples import coarse_image
from support.teacher_files import write_bag

FRAMES = 9


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bag(tmp_path_factory.mktemp("bags") / "clip.mcap", FRAMES, still=2)


@pytest.fixture(scope="module")
def report(bag: Path, bundle_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a report with held results and the bundle itself as baselines."""
    output = tmp_path_factory.mktemp("baselines")
    options = Options(threads=1, baselines=("hold:3", str(bundle_path)))
    evaluate_bag(bundle_path, bag, output, options)
    return json.loads((output / "report.json").read_text())


def run_with(bundle: Path, bag: Path, output: Path, policy: str) -> Any:
    return evaluate_bag(bundle, bag, output, Options(policy=policy, threads=1))


@pytest.mark.parametrize("policy", ["dense", "hold:3"])
def test_a_baseline_scores_as_a_run_of_that_policy(
    report: Any, bundle_path: Path, bag: Path, tmp_path: Path, policy: str
) -> None:
    alone = run_with(bundle_path, bag, tmp_path, policy)
    assert report["baselines"][policy]["tasks"] == alone["tasks"]
    assert report["tasks"] != alone["tasks"]


def test_the_same_bundle_as_a_baseline_scores_as_the_run(report: Any, bundle_path: Path) -> None:
    assert report["baselines"][str(bundle_path)]["tasks"] == report["tasks"]


def test_held_results_cost_a_share_of_the_dense_network(report: Any) -> None:
    times = {name: one["latency_ms"]["total"] for name, one in report["baselines"].items()}
    assert 0 < times["hold:3"]["mean"] < times["dense"]["mean"]
    assert times["hold:3"]["p50"] < 0.1 * times["dense"]["p50"]


def test_the_figures_of_each_frame_have_the_baselines(report: Any) -> None:
    figures = report["per_frame"]["figures"]
    assert len(figures["hold:3.depth.abs_rel"]) == FRAMES
    assert figures["hold:3.depth.abs_rel"][0] == figures["dense.depth.abs_rel"][0]
    held = figures["hold:3.ms.total"]
    computed = min(held[::3])
    assert [ms > computed / 2 for ms in held] == [True, False, False] * 3


def test_two_runs_differ_in_their_times_only(
    report: Any, bundle_path: Path, bag: Path, tmp_path: Path
) -> None:
    options = Options(threads=1, baselines=("hold:3", str(bundle_path)))
    again = evaluate_bag(bundle_path, bag, tmp_path, options)
    assert without_times(again) == without_times(report)


def without_times(report: Any) -> Any:
    """Return a report without what depends on the machine's mood."""
    found = json.loads(json.dumps(report))
    for part in (found, *found["baselines"].values()):
        del part["latency_ms"]
    found["worst_frames"].pop("slowest")
    figures = found["per_frame"]["figures"]
    found["per_frame"]["figures"] = {k: v for k, v in figures.items() if "ms." not in k}
    return found


@pytest.mark.parametrize(
    ("baselines", "said"),
    [
        (["hold:0"], "expected hold:K or warp:K with K >= 1"),
        (["holding"], "expected hold:K"),
        (["nowhere"], "or the folder of a bundle"),
        (["hold:2", "hold:2"], "expected each once"),
    ],
)
def test_a_baseline_that_is_none_is_status_2(
    capsys: Any, tmp_path: Path, bundle_path: Path, bag: Path, baselines: list[str], said: str
) -> None:
    command = ["evaluate", bundle_path, "--bag", bag, "--output", tmp_path / "out"]
    for name in baselines:
        command += ["--baseline", name]
    assert cli.run([str(word) for word in command]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "--baseline" in err and said in err
    assert not (tmp_path / "out").exists()


def test_a_bundle_of_other_classes_is_no_baseline(
    capsys: Any, tmp_path: Path, bundle_path: Path, bag: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(bundle_path, other)
    manifest = json.loads((other / "manifest.json").read_text())
    for task in manifest["tasks"]:
        if task["name"] == "segmentation":
            task["classes"][0]["name"] = "lava"
    (other / "manifest.json").write_text(json.dumps(manifest))
    command = ["evaluate", bundle_path, "--bag", bag, "--output", tmp_path, "--baseline", other]
    assert cli.run([str(word) for word in command]) == 2
    err = capsys.readouterr().err
    assert "lava" in err and "segmentation" in err and err.count("\n") == 1


def test_images_have_no_baselines(capsys: Any, tmp_path: Path, bundle_path: Path) -> None:
    command = ["evaluate", bundle_path, "--dataset", "rooms", "--root", tmp_path]
    command += ["--output", tmp_path / "out", "--baseline", "hold:2"]
    assert cli.run([str(word) for word in command]) == 2
    assert "expected with --bag" in capsys.readouterr().err


def test_of_a_dense_run_the_run_itself_is_what_is_held(engine: Any) -> None:
    options = Options(policy="dense", threads=1, baselines=("hold:2", "warp:2"))
    tasks = engine.manifest.tasks
    baselines, scores = Baselines(engine, tasks, options), Scores(tasks)
    stream = open_stream(engine, "dense", options.stream_settings())
    for index in range(3):
        image = coarse_image(index)
        run = stream.step(image, index, [task.name for task in tasks])
        assert baselines.step(InputFrame(image, index, {}), run, scores) is run
        scores.update(Outcome(image, run.maps, {}, run.dirty, run.milliseconds))
    assert list(scores.baselines) == ["hold:2", "warp:2"]
    times = scores.series.result()["figures"]["hold:2.ms.total"]
    # The second frame is held; the others are the run's own.
    assert times[0] == pytest.approx(scores.series.values("ms.total")[0], rel=1e-5)
    assert times[1] < 0.5 * times[2]


def test_baselines_are_listed_with_those_of_the_network_first(
    engine: Any, bundle_path: Path
) -> None:
    options = Options(threads=1, baselines=(str(bundle_path), "hold:2"))
    tasks = engine.manifest.tasks
    baselines, scores = Baselines(engine, tasks, options), Scores(tasks)
    image = coarse_image()
    stream = open_stream(engine, "tokens", options.stream_settings())
    run = stream.step(image, 0, [task.name for task in tasks])
    baselines.step(InputFrame(image, 0, {}), run, scores)
    assert list(scores.baselines) == ["dense", "hold:2", str(bundle_path)]


def test_a_bundle_has_to_have_some_task_of_the_same_kind() -> None:
    depth, normals = TASKS["depth"], TASKS["normals"]
    assert _common([depth, normals], [normals, TASKS["boundary"]], "b") == [normals]
    with pytest.raises(OptionError, match="baseline b: tasks normals; expected some of depth"):
        _common([depth], [normals], "b")
    other = replace(depth, kind="saliency")
    with pytest.raises(OptionError, match="its depth is saliency .*expected depth"):
        _common([depth], [other], "b")


def test_another_bundle_has_the_budget_of_the_run(engine: Any, bundle_path: Path) -> None:
    options = Options(threads=1, max_dirty_fraction=0.25, baselines=(str(bundle_path),))
    (other,) = Baselines(engine, engine.manifest.tasks, options)._baselines
    assert isinstance(other.stream, PerceptionStream)
    assert other.stream.settings == replace(options.stream_settings(), policy="tokens")
    assert other.stream.settings.max_dirty_fraction == 0.25
