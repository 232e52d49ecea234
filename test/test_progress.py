"""Jobs draw nothing: without a callback they run silently, with one they tell how far they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtshare_ros.progress import OnStep, silent
from support.fake_stills import PHASE, FakeStills, config, write_config

Run = Callable[..., Any]
"""A job that takes how to tell its progress as keyword ``on_step``, if at all."""


def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    from mtshare_ros.training import data_sets, loop
    from mtshare_ros.training.train import train

    monkeypatch.setattr(data_sets, "StillsDataset", FakeStills)
    monkeypatch.setattr(loop, "LOG_STEPS", 1)
    stage = {"kind": "single_task", "name": "base", "task": "normals", "phases": [PHASE]}
    path = write_config(tmp_path / "c.yaml", config(stage))
    return lambda **options: train(path, tmp_path / "run", **options)


def scoring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    from mtshare_ros.study.results import results_of
    from mtshare_ros.study.study_config import load_study
    from support.study_files import study_values, write_run, write_stills, write_study

    values = study_values(write_stills(tmp_path / "test"), write_run(tmp_path / "run", 0))
    study = load_study(write_study(tmp_path / "s.yaml", values))
    return lambda **options: results_of(study, **options)


def comparing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    from mtshare_ros.bundle.manifest import LayerShare
    from mtshare_ros.export.random_bundle import random_bundle
    from mtshare_ros.perception.engines import open_engine
    from mtshare_ros.perception.stream_settings import StreamSettings
    from mtshare_ros.simulator.simulate import write_clip
    from mtshare_ros.study.reuse.played_clips import Way, play
    from support.samples import SMALL

    random_bundle(tmp_path / "bundle", SMALL, LayerShare(1, 32))
    write_clip(tmp_path / "clip.mcap", "pan", 200_001, 3, (64, 48))
    engine = open_engine(tmp_path / "bundle", "onnxruntime", 1)
    ways = [Way("hold:2", "hold:2", StreamSettings())]

    def run(on_step: OnStep = silent) -> Any:
        return play(engine, tmp_path / "clip.mcap", ways, lambda image: 1.0, on_frame=on_step)

    return run


JOBS = {
    training: [(1, 6, "base: normals "), (6, 6, "base: normals "), (1, 1, "validating normals")],
    scoring: [(8, 8, "run single_depth depth"), (8, 8, "run single_normals normals")],
    comparing: [(1, 3, "clip"), (3, 3, "clip")],
}
"""Job -> some of what it tells: steps done, steps in all, how the words begin."""


@pytest.mark.parametrize("job", JOBS)
def test_a_job_without_a_callback_runs_silently(
    job: Callable[..., Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    run = job(tmp_path, monkeypatch)
    capfd.readouterr()
    run()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("job", JOBS)
def test_a_job_tells_its_steps_and_what_it_does(
    job: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int, str]] = []
    job(tmp_path, monkeypatch)(on_step=lambda *step: told.append(step))
    for done, total, words in JOBS[job]:
        assert [s for s in told if s[:2] == (done, total) and s[2].startswith(words)], told
    assert all(0 < done <= total for done, total, _ in told)
