"""An engine that is farther from the exporter's outputs than is tolerated is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtshare_ros.bundle.manifest import BundleError
from mtshare_ros.perception.engines.selftest import (
    SelfTestError,
    SelfTestFrame,
    half_difference,
    load_selftest,
    relative_difference,
    run_selftest,
    save_selftest,
)
from mtshare_ros.tasks import TASKS
from support.hand_made import WIDE, HandMadeEngine, manifest_of

SIDE = (16, 40)
"""Of the raw maps."""


def given(name: str) -> np.ndarray:
    """Return a raw map of a task."""
    raw = np.zeros((TASKS[name].channels, *SIDE), np.float32)
    raw[-1] = {"depth": 1.0, "segmentation": 0.5, "normals": -2.0}.get(name, 0.0)
    return raw


def changed(name: str, by: float) -> np.ndarray:
    """Return it changed by ``by`` times what fp16 may be apart."""
    raw = given(name)
    if name == "depth":
        raw += np.log(1 + 0.005 * by)
        raw[:, 0] += 1.0  # a sixteenth of the pixels doesn't move the median
    elif name == "segmentation":
        wrong = int(np.ceil(0.005 * by * raw[0].size))
        raw[0].flat[:wrong] = 1.0
    elif name == "normals":
        angle = np.radians(0.5 * by)
        raw[0], raw[2] = -2 * np.sin(angle), -2 * np.cos(angle)
    else:
        raw += 4 * 0.005 * by  # the logistic's slope is 1/4 at 0
    return raw


def clip(*names: str, frames: int = 1) -> list[SelfTestFrame]:
    shape = (WIDE.height, WIDE.width, 3)
    return [
        SelfTestFrame(
            np.zeros(shape, np.uint8), np.arange(WIDE.tokens), {n: given(n) for n in names}
        )
        for _ in range(frames)
    ]


def engine(name: str, precision: str = "fp16") -> HandMadeEngine:
    found = HandMadeEngine(manifest_of(tasks=[TASKS[name]]))
    found.precision = precision
    return found


@pytest.mark.parametrize("name", TASKS)
def test_half_precision_may_be_apart_by_what_a_robot_does_not_notice(name: str) -> None:
    found = engine(name)
    for by in (0.0, 0.8):
        found.raw[name] = changed(name, by)
        assert run_selftest(found, clip(name)) == pytest.approx(by, abs=0.25)
    for by in (1.3, 5.0):
        found.raw[name] = changed(name, by)
        with pytest.raises(SelfTestError, match=f"task {name}, frame 0 differs by "):
            run_selftest(found, clip(name))


@pytest.mark.parametrize("name", TASKS)
def test_full_precision_is_held_to_the_manifest_s_tolerance(name: str) -> None:
    found, raw = engine(name, "fp32"), given(name) + np.float32(1.0)
    (frame,) = clip(name)
    frame.raw[name] = raw
    largest = np.abs(raw).max()
    for by, is_taken in ((0.9, True), (1.1, False)):
        found.raw[name] = raw.copy()
        found.raw[name][0, 3, 5] += by * 1e-3 * largest  # a single value of the map
        if is_taken:
            assert run_selftest(found, [frame]) == pytest.approx(by, abs=0.01)
        else:
            with pytest.raises(SelfTestError, match=r"0\.0011, expected at most 0\.001"):
                run_selftest(found, [frame])


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_value_that_is_not_finite_is_too_many(precision: str, value: float) -> None:
    found = engine("depth", precision)
    found.raw["depth"] = given("depth")
    found.raw["depth"][0, 0, 0] = value
    with pytest.raises(SelfTestError, match="differs by"):
        run_selftest(found, clip("depth"))


def test_a_map_of_another_shape_differs_without_bound() -> None:
    other = given("depth")[:, :-1]
    assert relative_difference(other, given("depth")) == np.inf
    assert half_difference(TASKS["depth"], other, given("depth"))[0] == np.inf


def test_every_frame_of_the_clip_counts_on_one_state() -> None:
    found = engine("depth")
    found.raw["depth"] = given("depth")

    def drift(number: int) -> None:
        found.raw["depth"] = changed("depth", 2.0 if number == 2 else 0.5)

    found.before = drift
    with pytest.raises(SelfTestError, match="task depth, frame 2 differs by 1.00 % of depth"):
        run_selftest(found, clip("depth", frames=3))
    assert found.states == 1 and len(found.rows) == 3


def test_the_largest_difference_of_the_clip_is_returned() -> None:
    found = engine("depth")
    found.before = lambda number: found.raw.update(depth=changed("depth", (0.2, 0.8, 0.4)[number]))
    assert run_selftest(found, clip("depth", frames=3)) == pytest.approx(0.8, abs=0.01)


def test_a_clip_without_a_frame_is_refused() -> None:
    with pytest.raises(BundleError, match="holds no frame"):
        run_selftest(engine("depth"), [])


def test_a_clip_comes_back_from_its_file_in_order(tmp_path: Path) -> None:
    manifest = manifest_of(tasks=[TASKS["depth"], TASKS["segmentation"]])
    frames = clip("depth", "segmentation", frames=3)
    for number, frame in enumerate(frames):
        frame.image[:] = number
        frame.raw["depth"][:] = number
    save_selftest(tmp_path, frames)
    found = load_selftest(tmp_path, manifest)
    assert [frame.image[0, 0, 0] for frame in found] == [0, 1, 2]
    for frame, saved in zip(found, frames, strict=True):
        assert frame.raw.keys() == saved.raw.keys()
        assert all(np.array_equal(frame.raw[name], saved.raw[name]) for name in saved.raw)
        assert np.array_equal(frame.dirty, saved.dirty)


def test_a_file_that_is_no_clip_of_the_bundle_is_refused_by_name(tmp_path: Path) -> None:
    manifest = manifest_of(tasks=[TASKS["depth"]])
    with pytest.raises(BundleError, match=r"selftest\.npz: not a self-test"):
        load_selftest(tmp_path, manifest)
    path = save_selftest(tmp_path, clip("boundary"))  # of another task
    with pytest.raises(BundleError, match=r"selftest\.npz: not a self-test.*raw_depth_0"):
        load_selftest(tmp_path, manifest)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BundleError, match=r"selftest\.npz: not a self-test"):
        load_selftest(tmp_path, manifest)
