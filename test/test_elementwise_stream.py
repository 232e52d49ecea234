"""The element-wise scheme over time: keyframes, layer split, chained references."""

from __future__ import annotations

import pytest
import torch
from conftest import SMALL
from elementwise_pairs import make_images, pair

from mtshare_ros.network.elementwise import (
    LINEARS,
    ElementwiseSubTask,
    TappedTransformer,
)
from mtshare_ros.network.elementwise_counts import (
    OUTPUTS,
    Thresholds,
    dense_pass,
    references_to_base,
    shared_pass,
    shares,
)
from mtshare_ros.network.elementwise_stream import BASE, ElementwiseStream
from mtshare_ros.network.single_task import SingleTaskNetwork


def _stream(
    base: SingleTaskNetwork, subtask: ElementwiseSubTask, theta: float, split: int, every: int
) -> ElementwiseStream:
    limits = Thresholds((theta,) * SMALL.depth, OUTPUTS)
    return ElementwiseStream(base, {"depth": subtask}, limits, limits, split, every)


@pytest.mark.parametrize("split", [0, 1, 3])
def test_without_a_threshold_a_clip_is_computed_exactly(split: int) -> None:
    base, subtask = pair(SMALL)
    merged = subtask.merged(base)
    stream = _stream(base, subtask, 0.0, split, every=4)
    for image in make_images(6):
        maps, _ = stream.step(image[None])
        with torch.no_grad():
            for name, network in ((BASE, base), ("depth", merged)):
                assert torch.allclose(maps[name], network(image[None]), atol=1e-5), name


def test_what_a_frame_costs_depends_on_keyframes_and_on_the_layer_split() -> None:
    base, subtask = pair(SMALL)
    image = make_images(1)
    costs = {}
    for split in (0, 3):
        stream = _stream(base, subtask, 0.1, split, every=3)
        costs[split] = [
            {
                name: shares(works)["linears"]["counted"]
                for name, works in stream.step(image)[1].items()
            }
            for _ in range(4)
        ]
    for frames in costs.values():
        assert [frame[BASE] for frame in frames] == [1.0, 0.0, 0.0, 1.0]
        assert frames[0]["depth"] > 0
    # The same image again: against the own past nothing differs and dW is not needed; against
    # the base all of it is.
    assert [frame["depth"] for frame in costs[0][1:3]] == [0.0, 0.0]
    assert costs[3][1]["depth"] == pytest.approx(costs[3][0]["depth"])


def test_what_output_thresholds_dropped_stays_dropped_until_a_keyframe() -> None:
    """A chained reference forgets changes below theta: a slow drift never fires."""
    base, subtask = pair(SMALL)
    stream = _stream(base, subtask, 1e3, split=0, every=5)
    images = make_images(6)
    first, _ = stream.step(images[:1])
    with torch.no_grad():
        expected = base(images[:1])
        start, fine = base.stem(images[:1])
        held = base.transformer(start)[0] - start
    assert torch.allclose(first[BASE], expected, atol=1e-5)
    for image in images[1:5]:
        maps, works = stream.step(image[None])
        with torch.no_grad():
            tokens, fine = base.stem(image[None])
            assert torch.allclose(maps[BASE], base.head(tokens + held, fine), atol=1e-5)
        assert shares(works[BASE])["logits"]["counted"] == 0.0
    maps, _ = stream.step(images[5:])
    with torch.no_grad():
        assert torch.allclose(maps[BASE], base(images[5:]), atol=1e-5)


def test_a_linear_builds_on_its_references_output() -> None:
    """Y = Y_ref + dX W + X_ref dW, also where the reference's own output was cut."""
    base, _ = pair(SMALL, density=0.0)
    limits = Thresholds((0.3,) * SMALL.depth, OUTPUTS)
    tapped = TappedTransformer(base.transformer)
    with torch.no_grad():
        frames = [base.stem(image[None])[0] for image in make_images(3)]
        _, trace, _ = dense_pass(tapped, frames[0])
        for tokens in frames[1:]:
            before = trace
            references = references_to_base(before, [{}] * SMALL.depth, limits)
            _, trace, _ = shared_pass(tapped, tokens, references)
            for block, old, new in zip(base.transformer.blocks, before, trace, strict=True):
                for linear, read in LINEARS.items():
                    change = new.values[read] - old.values[read]
                    d = change @ getattr(block, linear).weight.T
                    d = torch.where(d.abs() >= 0.3, d, 0)
                    expected = old.values[linear] + d
                    close = torch.isclose(new.values[linear], expected, atol=1e-4)
                    assert close.float().mean() > 0.999, linear  # a few lie at the threshold


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": 4}, "split 4: expected 0 to 3"),
        ({"keyframe_every": 0}, "keyframe_every 0"),
        ({"over_time": Thresholds((0.1,))}, "over_time: 1 thresholds, expected 3"),
    ],
)
def test_settings_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    base, subtask = pair(SMALL)
    limits = Thresholds((0.1,) * 3)
    settings = {
        "between_tasks": limits,
        "over_time": limits,
        "split": 1,
        "keyframe_every": 2,
        **change,
    }
    with pytest.raises(ValueError, match=message):
        ElementwiseStream(base, {"depth": subtask}, **settings)  # type: ignore[arg-type]
