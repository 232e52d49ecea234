"""Which frames a report shows, and that neither it nor its figures grow with the run."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtshare_ros.evaluation.outcome import Outcome
from mtshare_ros.evaluation.pictures import kept_frames
from mtshare_ros.evaluation.pictures.kept_frames import APART, MAX_FRAMES, KeptFrames, Moment
from mtshare_ros.evaluation.report.report_files import write_report
from mtshare_ros.tasks import TASKS
from support.report_files import ALL_TASKS, RUN, manifest, outcome, scores_of

PICTURE = outcome(0)


def offer(kept: KeptFrames, index: int, figures: dict[str, float], ms: float = 1.0) -> None:
    kept.offer(Moment(index, "", {"ms.total": ms}), PICTURE, figures)


def indices(kept: KeptFrames, reason: str | None = None) -> list[int]:
    found = [k for k in kept.result() if reason is None or reason in k.reasons]
    return [k.moment.index for k in found]


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pictures of 100 bytes a frame."""
    made = kept_frames.Encoded({("camera", ""): bytes(100)})
    monkeypatch.setattr(kept_frames, "encode", lambda *_: made)


@pytest.mark.parametrize("frames", [1, 119, 120, 121, 1000, 10_000])
def test_frames_are_spread_evenly_whenever_the_run_ends(cheap: None, frames: int) -> None:
    kept = KeptFrames(ALL_TASKS)
    for index in range(frames):
        kept.offer(Moment(index, "", {}), PICTURE, {})
    found = indices(kept)
    steps = set(np.diff(found))
    assert len(steps) <= 1
    assert found[0] == 0 and frames - found[-1] <= max(steps, default=1)
    assert min(frames, MAX_FRAMES // 2) <= len(found) <= MAX_FRAMES


def test_the_worst_frames_of_each_task_and_the_slowest_are_kept(cheap: None) -> None:
    kept = KeptFrames(ALL_TASKS)
    for index in range(5000):
        figures = {"depth": 0.1, "segmentation": 0.9, "normals": 5.0}
        if index == 3333:
            figures["depth"] = 0.8
        if index in (1111, 4447):
            figures["segmentation"] = 0.2 if index == 1111 else 0.3
        offer(kept, index, figures, ms=99.0 if index == 777 else 50.0 if index == 0 else 1.0)
    assert indices(kept, "segmentation") == [1111, 4447]
    assert 3333 in indices(kept, "depth")
    assert 777 in indices(kept, "slowest")
    assert 0 not in indices(kept, "slowest")  # It has no cache, which is no news.
    assert {777, 1111, 3333, 4447} < set(indices(kept))


def test_neighbours_of_a_worst_frame_are_not_kept_beside_it(cheap: None) -> None:
    kept = KeptFrames([TASKS["depth"]])
    for index in range(1000):
        # A hill whose top is frame 507.
        offer(kept, index, {"depth": 1.0 / (1 + abs(index - 507))})
    found = indices(kept, "depth")
    assert 507 in found and min(np.diff(found)) >= APART


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=120))
def test_the_worst_frame_is_always_kept(values: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        made = kept_frames.Encoded({("camera", ""): bytes(10)})
        patch.setattr(kept_frames, "encode", lambda *_: made)
        kept = KeptFrames([TASKS["depth"]])
        for index, value in enumerate(values):
            offer(kept, index, {"depth": value})
        worst = [k.moment.index for k in kept.result() if "depth" in k.reasons]
        assert max(values) in [values[index] for index in worst]
        assert len(worst) <= kept_frames.WORST


def test_the_bytes_of_the_pictures_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_frames, "MAX_BYTES", 100_000)
    scores = scores_of(*(outcome(index) for index in range(100)))
    assert scores.kept.size <= 100_000
    # Not for want of pictures: twice as many would not fit.
    assert scores.kept.size > 40_000
    assert len(set(np.diff(indices_without_reasons(scores.kept)))) <= 1


def indices_without_reasons(kept: KeptFrames) -> list[int]:
    return [k.moment.index for k in kept.result() if not k.reasons]


def test_large_images_are_embedded_small() -> None:
    small = outcome(0)
    rgb = np.zeros((1200, 1600, 3), np.uint8)
    kept = scores_of(Outcome(rgb, small.predictions, small.truths, small.dirty)).kept
    (frame,) = kept.result()
    sources = frame.pictures.data
    for data in sources.values():
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (240, 320, 3)


def test_a_report_of_many_frames_is_not_longer(tmp_path: Any) -> None:
    sizes = []
    for frames in (1000, 4000):
        scores = scores_of(outcome(0))
        for index in range(frames):
            scores.series.add({"ms.total": 1.0 + index % 7 / 3, "dirty_fraction": 1 / 3})
        write_report(tmp_path, RUN, scores, manifest())
        sizes.append((tmp_path / "report.json").stat().st_size)
    assert sizes[1] < 1.1 * sizes[0]


def test_a_worse_frame_takes_the_place_of_its_neighbour_up_to_thirty_frames(cheap: None) -> None:
    for later, expected in ((29, [29]), (30, [0, 30])):
        kept = KeptFrames([TASKS["depth"]])
        offer(kept, 0, {"depth": 0.5})
        offer(kept, later, {"depth": 0.6})
        assert indices(kept, "depth") == expected
    for later, expected in ((29, [0]), (30, [0, 30])):
        kept = KeptFrames([TASKS["depth"]])
        offer(kept, 0, {"depth": 0.5})
        offer(kept, later, {"depth": 0.4})
        assert indices(kept, "depth") == expected
    kept = KeptFrames([TASKS["depth"]])
    offer(kept, 0, {"depth": 0.5})
    offer(kept, 29, {"depth": 0.5})
    assert indices(kept, "depth") == [0]  # The first of equals.


def test_a_frame_is_among_the_worst_if_it_is_worse_than_the_better_of_them(cheap: None) -> None:
    kept = KeptFrames([TASKS["depth"]])
    for number, value in enumerate((0.9, 0.5, 0.7, 0.4)):
        offer(kept, 100 * number, {"depth": value})
    assert indices(kept, "depth") == [0, 200]


def test_reasons_are_those_of_now_and_frames_are_in_their_order(
    cheap: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_frames, "MAX_FRAMES", 2)
    kept = KeptFrames([TASKS["depth"]])
    for index in range(0, 200, 50):
        offer(kept, index, {"depth": 0.5 if index == 50 else 0.9 if index < 50 else 0.1})
    assert indices(kept) == sorted(indices(kept))
    assert indices(kept, "depth") == [0, 50] and indices(kept, "depth") == [0, 50]
    offer(kept, 200, {"depth": 2.0})
    assert indices(kept, "depth") == [0, 200]
    assert [k.reasons for k in kept.result() if k.moment.index == 0] == [["depth"]]


def test_two_frames_that_are_too_large_become_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made = kept_frames.Encoded({("camera", ""): bytes(60)})
    monkeypatch.setattr(kept_frames, "encode", lambda *_: made)
    monkeypatch.setattr(kept_frames, "MAX_BYTES", 100)
    kept = KeptFrames([])
    for index in range(2):
        kept.offer(Moment(index, "", {}), PICTURE, {})
    assert indices(kept) == [0]
