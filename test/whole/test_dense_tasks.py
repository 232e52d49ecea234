"""Boundaries and saliency through the whole package, beside the three other tasks."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros.bench.rivals import Rivals
from mtshare_ros.bundle.checks import check_manifest
from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import BundleError, LayerShare
from mtshare_ros.commands.demo import run_demo
from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation.evaluate import evaluate
from mtshare_ros.evaluation.pictures import map_pictures
from mtshare_ros.evaluation.room_views import RoomFrames, Stills
from mtshare_ros.evaluation.run_options import Options
from mtshare_ros.export.random_bundle import random_bundle
from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.simulator.render_stills import render_stills
from mtshare_ros.simulator.simulate import write_clip
from mtshare_ros.tasks import BOUNDARY, SALIENCY, TASKS
from mtshare_ros.training import data_sets
from mtshare_ros.training.train import train
from support.evaluations import evaluate_bag
from support.fake_stills import PHASE, FakeStills, write_config
from support.fake_stills import config as fake_config
from support.samples import SMALL

NEW = ["boundary", "saliency"]
SIZE = (128, 96)


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of all tasks."""
    folder = tmp_path_factory.mktemp("bundles") / "five"
    random_bundle(folder, SMALL, LayerShare(1, 32), tuple(TASKS))
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle without a segmentation."""
    folder = tmp_path_factory.mktemp("bundles") / "two"
    random_bundle(folder, SMALL, LayerShare(1, 32), ("saliency", "boundary"))
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mcap"
    write_clip(path, "static", 200_001, 4, SIZE)
    return path


def test_they_are_trained_and_validated_as_base_and_as_sub_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = FakeStills.stored

    def with_a_plant(self: FakeStills, index: int) -> dict[str, Any]:
        sample = labels(self, index)
        return {**sample, "labels": np.where(sample["labels"] == 4, 12, sample["labels"])}

    monkeypatch.setattr(FakeStills, "stored", with_a_plant)
    monkeypatch.setattr(data_sets, "StillsDataset", FakeStills)
    phases = [PHASE]
    values = fake_config(
        {"kind": "single_task", "name": "base", "task": "saliency", "phases": phases},
        {"kind": "joint", "name": "both", "tasks": NEW, "phases": phases},
    )
    records = train(write_config(tmp_path / "c.yaml", values), tmp_path / "run")
    assert set(records["base"]["validation"]["saliency"]) == {"max_f"}
    assert 0.0 <= records["both"]["validation"]["boundary"]["ods_f"] <= 1.0


def test_their_predictions_are_8_bit_maps_by_task_and_only_where_wanted(five: Path) -> None:
    stream = PerceptionStream(open_engine(five, threads=1), StreamSettings(output_size="input"))
    image = np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    got = stream.step(image, 0, list(TASKS))
    assert set(got.maps) == set(TASKS)
    for found in (got.maps[name] for name in NEW):
        assert found.shape == (150, 200) and found.dtype == np.uint8 and np.ptp(found) > 0
    some = stream.step(image, 1, ["boundary"])
    assert set(some.maps) == {"boundary"} and not some.confidence


def test_a_bag_with_labels_scores_them(five: Path, clip: Path, tmp_path: Path) -> None:
    report = evaluate_bag(five, clip, tmp_path, Options(threads=1))
    assert {name: set(values) for name, values in report["tasks"].items()} == {
        name: set(task.metrics) for name, task in TASKS.items()
    }
    assert 0.0 < report["tasks"]["boundary"]["ods_f"] < 1.0
    assert set(report["disagreement"]) == set(TASKS)
    page = (tmp_path / "index.html").read_text()
    assert "odsF" in page and "maxF" in page and "Boundary, saliency" in page


def test_rooms_of_other_classes_are_refused_though_no_task_has_classes(
    two: Path, tmp_path: Path
) -> None:
    render_stills(tmp_path / "rooms", range(200_000, 200_001), 1, (48, 36), 1)
    views = partial(RoomFrames, Stills([tmp_path / "rooms"]))
    options = Options(threads=1).of_single_images()
    numbers = evaluate(two, views, tmp_path / "out", options)
    assert set(numbers["tasks"]) <= set(NEW) and "boundary" in numbers["tasks"]
    meta = tmp_path / "rooms" / "meta.json"
    meta.write_text(json.dumps({**json.loads(meta.read_text()), "classes": ["sky"]}))
    with pytest.raises(OptionError, match="classes sky"):
        Stills([tmp_path / "rooms"]).check_classes([SALIENCY])


def test_the_demo_records_and_scores_them_through_the_live_node(
    two: Path, clip: Path, tmp_path: Path
) -> None:
    result = run_demo(two, clip, tmp_path)
    assert "boundary" in result.numbers["tasks"]
    assert all(path.exists() for path in result.files)


def test_a_manifest_with_two_logits_for_one_probability_is_refused(two: Path) -> None:
    manifest = load_manifest(two)
    wrong = replace(manifest, tasks=(replace(manifest.tasks[0], channels=2), *manifest.tasks[1:]))
    with pytest.raises(BundleError, match="saliency: 2 channels, expected 1"):
        check_manifest(Path("manifest.json"), wrong)


def test_prediction_and_truth_have_one_scale_of_colours() -> None:
    truth = np.array([[1.0, 0.0, np.nan]], np.float32)
    prediction = np.array([[255, 0, 0]], np.uint8)
    shown = [map_pictures.map_picture(BOUNDARY, each, 1.0) for each in (prediction, truth)]
    assert np.array_equal(*shown) and shown[0][0, 0].sum() > 500 > 20 > shown[0][0, 1].sum()
    right, wrong, unknown = map_pictures.error_picture(
        SALIENCY, np.array([[255, 255, 0]], np.uint8), truth
    )[0]
    assert right.sum() < 20 and wrong.sum() > 500
    assert tuple(unknown) == map_pictures.NO_TRUTH


def test_the_dense_rivals_decode_them(five: Path, tmp_path: Path) -> None:
    spec = load_manifest(five).input
    networks = Rivals(SMALL, [BOUNDARY, SALIENCY], tmp_path, threads=1)
    maps = networks.separate([BOUNDARY, SALIENCY]).step(np.zeros((96, 128, 3), np.uint8), spec)
    assert [(found.shape, found.dtype) for found in maps] == [((96, 128), np.uint8)] * 2
