"""A case computes what its name says."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mtshare_ros.bench.cases import ChangingScene, DenseCase, HoldCase, SceneCamera, StreamCase
from mtshare_ros.bench.measurement import take_turns
from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.perception.engines import open_engine


def test_cases_that_share_a_camera_have_each_its_own_share(bundle_path: Path) -> None:
    camera = SceneCamera(open_engine(bundle_path, "onnxruntime", 1))
    dense = []
    step = camera.stream.step

    def counted(*arguments: Any) -> Any:
        found = step(*arguments)
        dense.append(bool(found.dirty.all()))
        return found

    camera.stream.step = counted  # type: ignore[method-assign]
    cases = [StreamCase(camera, 0.25), HoldCase(camera, 3), StreamCase(camera, 0.05)]
    _, stages = take_turns(cases, rounds=21)
    # A token more may be due by its age.
    for case, tokens in ((0, 12), (2, 2)):
        found = {round(48 * stage["dirty_fraction"]) for stage in stages[case]}
        assert found <= {tokens, tokens + 1} and tokens in found
    # Three rounds are warm-up; the first frame of all is dense, too.
    assert len(dense) == 2 * 24 + 8 and sum(dense) in (8, 9)


def test_a_share_of_the_tokens_changes_wholly_and_back_again(bundle_path: Path) -> None:
    spec = load_manifest(bundle_path).input
    scene, side = ChangingScene(spec), spec.stride
    before = scene.next(1.0).astype(int)
    for fraction, tokens in ((0.25, 12), (0.0, 1), (1.0, 48), (1.0, 48)):
        image = scene.next(fraction).astype(int)
        rows, columns = spec.grid
        change = (image - before).reshape(rows, side, columns, side, 3)
        assert np.array_equal(change.min(axis=(1, 3, 4)), change.max(axis=(1, 3, 4)))
        assert (np.abs(change[:, 0, :, 0, 0]) == 10).sum() == tokens
        before = image
    assert np.abs(scene.next(1.0).astype(int) - before).max() == 10


def test_a_dropped_cache_is_no_measurement(bundle_path: Path) -> None:
    camera = SceneCamera(open_engine(bundle_path, "onnxruntime", 1), most=0.3)
    assert camera.stream.settings.max_dirty_fraction == 0.3
    assert camera.stream.settings.max_age > 100_000
    camera.look(1.0)
    for reset, fails in ((None, False), ("first frame", False), ("a cut", True)):
        found = SimpleNamespace(reset=reset, milliseconds={"stem": 1.0}, dirty=np.eye(2) > 0)
        stepper = SimpleNamespace(step=lambda *_, found=found: found)
        if fails:
            with pytest.raises(RuntimeError, match="the cache was dropped: a cut"):
                camera.step(stepper)
        else:
            assert camera.step(stepper) == {"stem": 1.0, "dirty_fraction": 0.5}


def test_dense_networks_see_an_image_that_changed_everywhere(bundle_path: Path) -> None:
    seen: list[Any] = []
    spec = load_manifest(bundle_path).input
    networks = SimpleNamespace(step=lambda image, spec: seen.append(image.astype(int)))
    case = DenseCase("dense", networks, spec)
    for _ in range(2):
        case.prepare()
        case.step()
    assert (np.abs(seen[1] - seen[0]) == 10).all()
