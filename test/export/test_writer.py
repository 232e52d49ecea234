"""Bundles are written whole, or not at all."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.export import writer
from mtshare_ros.export.check import GraphError
from mtshare_ros.export.writer import deploy_networks, make_selftest, write_bundle
from mtshare_ros.network.single_task import SingleTaskNetwork
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
