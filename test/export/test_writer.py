"""Bundles are written whole, or not at all."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.export import writer
from mtshare_ros.export.check import GraphError
from mtshare_ros.export.writer import (
    PARITY_TOLERANCE,
    SELFTEST_TOLERANCE,
    deploy_networks,
    input_spec,
    make_selftest,
    write_bundle,
)
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.perception.engines.onnxruntime_engine import OnnxRuntimeEngine
from mtshare_ros.perception.frame import IMAGE_MEAN, IMAGE_SCALE
from mtshare_ros.tasks import DEPTH, NORMALS
from support.networks import networks
from support.samples import SMALL


def write(output: Path) -> Manifest:
    base = SingleTaskNetwork(replace(SMALL, depth=1), NORMALS.channels)
    return write_bundle(output, "name", "new", base, NORMALS, {}, 0.8)


def test_a_bundle_takes_the_place_of_an_older_one(bundle_path: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle_path, tmp_path / "bundle")
    manifest = write(tmp_path / "bundle")
    assert load_manifest(tmp_path / "bundle") == manifest
    assert manifest.description == "new" and [t.name for t in manifest.tasks] == ["normals"]
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert not (tmp_path / "bundle" / "depth.onnx").exists()


def test_a_folder_that_is_no_bundle_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="is not a bundle; it is left alone"):
        write(tmp_path / "bundle")
    assert (tmp_path / "bundle" / "thesis.txt").exists()


def test_an_export_that_fails_leaves_the_old_bundle_and_nothing_else(
    bundle_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(bundle_path, tmp_path / "bundle")

    def refuse(*_: object) -> None:
        raise GraphError("not this one")

    monkeypatch.setattr(writer, "check_graph", refuse)
    with pytest.raises(GraphError):
        write(tmp_path / "bundle")
    assert load_manifest(tmp_path / "bundle") == load_manifest(bundle_path)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@torch.no_grad()
def test_the_self_test_s_first_frame_is_what_the_dense_network_gives() -> None:
    base, subtasks = networks()
    deployed = deploy_networks(base, NORMALS, {DEPTH: subtasks["depth"]}, 0.8)
    first, *others = make_selftest(deployed.engine)
    spec = deployed.engine.manifest.input
    image = (first.image.astype(np.float32) - spec.mean) * spec.scale
    raw = deployed.base(torch.from_numpy(image).permute(2, 0, 1)[None].float())[0]
    assert np.allclose(first.raw["normals"], raw.numpy(), atol=1e-3)
    assert len(others) == 2 and len(others[1].dirty) < len(others[0].dirty) < len(first.dirty)


@pytest.mark.parametrize(("apart", "is_taken"), [(0.5, True), (2.0, False)])
def test_a_finished_bundle_is_held_to_the_stricter_bound(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch, apart: float, is_taken: bool
) -> None:
    """An engine is a little off: less than a robot's engine may be, more than this one may."""
    run = OnnxRuntimeEngine.run

    def off(self: OnnxRuntimeEngine, *arguments: Any) -> Any:
        output = run(self, *arguments)
        raw = {task: values.copy() for task, values in output.raw.items()}
        raw["depth"].flat[0] += apart * PARITY_TOLERANCE * np.abs(raw["depth"]).max()
        return replace(output, raw=raw)

    assert 2.0 * PARITY_TOLERANCE < SELFTEST_TOLERANCE
    monkeypatch.setattr(OnnxRuntimeEngine, "run", off)
    if is_taken:
        writer._check_parity(bundle_path)
    else:
        with pytest.raises(EngineError, match=r"task depth, frame . differs by 0\.0002"):
            writer._check_parity(bundle_path)


def test_a_bundle_whose_graphs_do_not_reproduce_the_network_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle_path: Path
) -> None:
    """The graphs are those of the bundle at hand; the network is another one."""
    base, _ = networks()
    graphs = {"stem": "stem", "base": "base", "normals": "normals"}

    def copied(module: Any, inputs: Any, outputs: Any, path: Path) -> None:
        shutil.copy(bundle_path / f"{graphs[path.stem]}.onnx", path)

    monkeypatch.setattr(writer, "write_onnx", copied)
    with pytest.raises(EngineError, match="self-test of bundle name: task normals, frame 0"):
        write_bundle(tmp_path / "bundle", "name", "new", base, NORMALS, {}, 0.8)
    assert not list(tmp_path.iterdir())


def test_the_input_is_that_of_the_network_and_its_training() -> None:
    spec = input_spec(replace(SMALL, size=(160, 48), stem="patch", prefix=4), 0.7)
    assert (spec.width, spec.height, spec.focal_length, spec.prefix) == (160, 48, 0.7, 4)
    assert (spec.mean, spec.scale) == (IMAGE_MEAN, IMAGE_SCALE)
    assert (spec.stride, spec.fine_stride, spec.rows) == (16, 4, 34)


@torch.no_grad()
def test_the_self_test_tries_prefix_rows_and_a_single_token() -> None:
    config = replace(SMALL, depth=1, size=(80, 48), stem="patch", prefix=3)
    base = SingleTaskNetwork(config, NORMALS.channels).eval()
    deployed = deploy_networks(base, NORMALS, {}, 0.8)
    rows = [frame.dirty.tolist() for frame in make_selftest(deployed.engine)]
    assert rows[0] == list(range(18)) and [len(r) for r in rows] == [18, 3 + 3, 3 + 1]
    assert all(r[:3] == [0, 1, 2] and r == sorted(set(r)) for r in rows)
    images = [frame.image for frame in make_selftest(deployed.engine)]
    assert all(image.shape == (48, 80, 3) for image in images)
    assert not np.array_equal(images[0], images[1])
