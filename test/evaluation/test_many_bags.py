"""Many bags in one call: side by side, some of them broken, gone on with after a stop."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtshare_ros import cli
from mtshare_ros.errors import JobError, OptionError
from mtshare_ros.evaluation import many_bags
from mtshare_ros.evaluation.many_bags import Job, evaluate_bags, summarise
from mtshare_ros.evaluation.run_options import Options
from support.killed import die
from support.teacher_files import write_bag

OPTIONS = Options(threads=1)


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return two good bags, one that is damaged and one that is not there."""
    folder = tmp_path_factory.mktemp("bags")
    found = [write_bag(folder / "short.mcap", 4), write_bag(folder / "long.mcap", 6)]
    damaged = folder / "damaged.mcap"
    damaged.write_bytes(found[0].read_bytes()[:200])
    return [found[0], damaged, found[1], folder / "missing.mcap"]


@pytest.fixture(scope="module")
def summary(bundle_path: Path, bags: list[Path], tmp_path_factory: Any) -> tuple[Path, Any]:
    """Return the folder and the summary of all of them, two at a time."""
    output = tmp_path_factory.mktemp("many")
    seen: list[tuple[int, int]] = []
    found = evaluate_bags(
        bundle_path, bags, output, OPTIONS, 2, on_bag=lambda *state: seen.append(state)
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    return output, found


def test_a_bag_that_fails_is_reported_and_stops_no_other(summary: tuple[Path, Any]) -> None:
    output, found = summary
    assert json.loads((output / "summary.json").read_text()) == found
    states = {name: entry["state"] for name, entry in found["bags"].items()}
    assert states == {"short": "done", "damaged": "failed", "long": "done", "missing": "failed"}
    assert "damaged.mcap: can't be read" in found["bags"]["damaged"]["error"]
    assert "missing.mcap: not found" in found["bags"]["missing"]["error"]
    for name, frames in (("short", 4), ("long", 6)):
        report = json.loads((output / name / "report.json").read_text())
        assert report["frames"] == found["bags"][name]["frames"] == frames
        assert report["tasks"] == found["bags"][name]["tasks"]
        assert (output / name / "index.html").is_file()


def test_the_mean_is_weighted_by_frames(summary: tuple[Path, Any]) -> None:
    _, found = summary
    short, long = (found["bags"][n]["tasks"]["depth"]["abs_rel"] for n in ("short", "long"))
    assert found["mean"]["depth"]["abs_rel"] == pytest.approx((4 * short + 6 * long) / 10)
    assert short != long


def test_what_is_finished_is_not_made_again_unless_something_changed(
    bundle_path: Path, bags: list[Path], summary: tuple[Path, Any], monkeypatch: Any
) -> None:
    output, found = summary
    made: list[str] = []

    def run_here(jobs: Any, workers: int) -> Any:
        for job in jobs:
            made.append(job.folder.name)
            yield job

    monkeypatch.setattr(many_bags, "_run_here", run_here)
    assert evaluate_bags(bundle_path, bags, output, OPTIONS) == found
    assert made == ["damaged", "missing"]
    made.clear()
    evaluate_bags(bundle_path, bags[:1], output, Options(threads=1, policy="dense"))
    assert made == ["short"]
    made.clear()
    write_bag(bags[2].with_name("other.mcap"), 5).replace(bags[2])
    evaluate_bags(bundle_path, bags[:3], output, OPTIONS)
    assert made == ["damaged", "long"]


def test_a_process_that_is_killed_is_a_failed_bag(tmp_path: Path) -> None:
    jobs = [Job(tmp_path, tmp_path / n, tmp_path / n, OPTIONS, None) for n in ("a", "b")]
    assert set(many_bags._run_here(jobs, 2, die)) == set(jobs)
    found = summarise(jobs)["bags"]
    assert [entry["error"] for entry in found.values()] == ["its process ended with -9"] * 2


def test_bags_of_one_name_get_folders_of_their_own(tmp_path: Path) -> None:
    names = many_bags._names(
        [tmp_path / "a" / "x.mcap", tmp_path / "b" / "x.mcap", tmp_path / "y"]
    )
    assert names == ["a-x", "b-x", "y"]
    assert (
        len(set(many_bags._names([tmp_path / "x", tmp_path / "x.db3", tmp_path / "x.mcap"]))) == 3
    )
    with pytest.raises(OptionError, match="expected each once"):
        many_bags._names([tmp_path / "x", tmp_path / "x"])


def test_the_command_fails_after_it_has_done_what_could_be_done(
    capsys: Any, tmp_path: Path, bundle_path: Path, bags: list[Path]
) -> None:
    command = ["evaluate", bundle_path, "--output", tmp_path, "--workers", "2", "--threads", "1"]
    for bag in (bags[0], bags[1]):
        command += ["--bag", bag]
    assert cli.run([str(word) for word in command]) == 1
    captured = capsys.readouterr()
    assert captured.err == "error: 1 of 2 bags failed: damaged\n"
    assert "summary.json" in captured.out and "abs_rel" in captured.out


@pytest.mark.slow
def test_a_local_ray_cluster_gives_the_same(
    bundle_path: Path, bags: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # else it writes a token into the home
    chosen = [bags[0], bags[1], bags[3]]
    found = evaluate_bags(bundle_path, chosen, tmp_path / "ray", OPTIONS, ray_address="local")
    here = evaluate_bags(bundle_path, chosen, tmp_path / "here", OPTIONS)
    assert found == here and found["bags"]["short"]["state"] == "done"
    assert found["bags"]["damaged"]["state"] == "failed"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Return a job whose bundle and bag are there."""
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "manifest.json").write_text("{}")
    (tmp_path / "bag.mcap").write_bytes(b"bag")
    return Job(tmp_path / "bundle", tmp_path / "bag.mcap", tmp_path / "bag", OPTIONS, "/t")


def finish(job: Job, **report: Any) -> None:
    """Write the report of a job, and what it depends on."""
    job.folder.mkdir(exist_ok=True)
    (job.folder / "report.json").write_text(json.dumps({"frames": 4, **report}))
    (job.folder / "job.json").write_text(json.dumps(job.key()))


def test_a_report_is_kept_until_something_that_it_depends_on_changes(job: Job) -> None:
    assert not job.is_finished()
    job = replace(job, options=Options(threads=1, baselines=("hold:2",)))
    finish(job)
    assert job.is_finished()
    for change in ({"topic": "/u"}, {"intrinsics": "k"}, {"options": Options(threads=3)}):
        assert not replace(job, **change).is_finished()
    before = job.bag.stat()
    os.utime(job.bag, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert not job.is_finished()
    finish(job)
    (job.bundle / "manifest.json").write_text("{ }")
    assert not job.is_finished()
    finish(job)
    (job.folder / "job.json").write_text("{")
    assert not job.is_finished()
    finish(job)
    (job.folder / "report.json").unlink()
    assert not job.is_finished()


def test_a_job_hands_on_topic_and_matrix_and_leaves_nothing_of_the_one_before(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = replace(job, intrinsics="k")
    asked: list[Any] = []
    outcomes: list[Exception | None] = [IndexError("a bug"), None, JobError("no memory")]

    def evaluate(bundle: Path, source: Any, folder: Path, options: Options) -> None:
        asked.append((bundle, source.args, source.keywords, folder, options))
        error = outcomes.pop(0)
        if error is not None:
            raise error
        (folder / "report.json").write_text('{"frames": 4}')

    monkeypatch.setattr(many_bags, "evaluate", evaluate)
    states = []
    for _ in range(3):
        many_bags._work(job)
        found = summarise([job])["bags"]["bag"]
        states.append((found["state"], found.get("error"), (job.folder / "failure.txt").exists()))
    assert asked == [
        (job.bundle, (job.bag, "/t"), {"intrinsics": "k"}, job.folder, OPTIONS)
    ] * 3  # fmt: skip
    assert states == [
        ("failed", "IndexError: a bug", True),
        ("done", None, False),
        ("failed", "no memory", True),
    ]


def test_kept_reports_count_as_done_and_means_go_by_frames_with_truth(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = job.folder.parent
    other = replace(job, bag=output / "other.mcap", folder=output / "other")
    other.bag.write_bytes(b"other")
    finish(job, tasks={"depth": {"rmse": 1.0}}, truth_frames={"depth": 3})
    monkeypatch.setattr(many_bags, "_run_here", lambda jobs, workers: iter(jobs))
    seen: list[tuple[int, int]] = []
    found = evaluate_bags(
        job.bundle, [job.bag, other.bag], output, OPTIONS, topic="/t",
        on_bag=lambda *state: seen.append(state),
    )  # fmt: skip
    assert seen == [(2, 2)]
    assert found["bags"]["other"] == {
        "bag": str(other.bag), "state": "failed", "error": "was not run"
    }  # fmt: skip
    # Of the 4 frames of each, 3 and 1 have truth.
    finish(other, tasks={"depth": {"rmse": 5.0}}, truth_frames={"depth": 1})
    assert summarise([job, other])["mean"] == {"depth": {"rmse": 2.0}}
