"""Thresholds and counted multiply-adds of the element-wise scheme."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mtshare_ros.network.reference.elementwise_counts import (
    INPUTS,
    OUTPUTS,
    Thresholds,
    Works,
    _shared_work,
    shared_pass,
    shares,
)
from mtshare_ros.network.reference.elementwise_units import (
    LINEARS,
    ElementwiseSubTask,
    TappedTransformer,
    Values,
    dense_values,
)
from mtshare_ros.network.single_task import SingleTaskNetwork
from support.elementwise_pairs import TINY, make_images, pair
from support.samples import SMALL


def _shared(
    base: SingleTaskNetwork, subtask: ElementwiseSubTask, tokens: Tensor, thresholds: Thresholds
) -> tuple[Values, Tensor, Values, Works]:
    reference = dense_values(base.transformer, tokens)
    changed = subtask.changed_weights(base.transformer)
    transformer = TappedTransformer(subtask.merged(base).transformer)
    return reference, *shared_pass(transformer, tokens, reference, changed, thresholds)


@pytest.mark.parametrize("points", [OUTPUTS, INPUTS])
def test_without_a_threshold_nothing_is_lost(points: tuple[str, ...]) -> None:
    base, subtask = pair(SMALL)
    with torch.no_grad():
        tokens, _ = base.stem(make_images(2))
        expected, _ = subtask.merged(base).transformer(tokens)
        _, found, _, _ = _shared(base, subtask, tokens, Thresholds((0.0,) * 3, points))
    assert torch.allclose(found, expected, atol=1e-5)


def test_small_differences_are_dropped_and_large_ones_stay_as_they_are() -> None:
    base, subtask = pair(SMALL)
    theta = 0.2
    with torch.no_grad():
        tokens, _ = base.stem(make_images(1))
        reference, _, trace, _ = _shared(base, subtask, tokens, Thresholds((theta,) * 3, OUTPUTS))
        own = subtask.merged(base).transformer.blocks[0]
        dense = own.qkv(own.norm1(tokens))
    before, carried = reference[0]["qkv"], trace[0]["qkv"]
    small = (dense - before).abs() < theta
    assert 0.05 < small.float().mean() < 0.95
    assert torch.equal(carried[small], before[small])
    assert torch.allclose(carried[~small], dense[~small], atol=1e-6)


def test_a_difference_of_exactly_theta_stays() -> None:
    base, subtask = pair(TINY, density=0.0)
    with torch.no_grad():
        tokens, _ = base.stem(make_images(1, TINY))
        reference = dense_values(base.transformer, tokens)
        target = torch.floor(reference[0]["norm1"])
        for step, stays in ((0.5, True), (0.25, False)):
            moved = [{**reference[0], "norm1": target + step}]

            class Fixed(TappedTransformer):
                def forward(self, x, tap):  # type: ignore[no-untyped-def]
                    return super().forward(
                        x, lambda n, p, v: tap(n, p, target if p == "norm1" else v)
                    )

            limits, changed = Thresholds((0.5,), ("norm1",)), [dict.fromkeys(LINEARS, 0)]
            _, trace, _ = shared_pass(Fixed(base.transformer), tokens, moved, changed, limits)
            assert torch.equal(trace[0]["norm1"], target) == stays


@pytest.mark.parametrize("points", [OUTPUTS, INPUTS])
def test_counts_are_those_made_by_hand(points: tuple[str, ...]) -> None:
    """Two tokens of width 4, two heads, six hidden neurons, in numpy, element by element."""
    base, subtask = pair(TINY, density=0.3, scale=0.3)
    theta = 0.15
    limits = Thresholds((theta,), points)
    tokens = torch.randn(1, 2, 4, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        _, found, _, works = _shared(base, subtask, tokens, limits)
    theirs = _by_hand(base.transformer, tokens[0].numpy(), None, theta, points)
    own_network = subtask.merged(base).transformer
    own = _by_hand(own_network, tokens[0].numpy(), theirs, theta, points)
    assert np.allclose(found[0].numpy(), own["features"], atol=1e-5)

    expected = {}
    base_weights, own_weights = base.transformer.state_dict(), own_network.state_dict()
    for linear, read in LINEARS.items():
        name = f"blocks.0.{linear}.weight"
        w_base, w_own = base_weights[name].numpy(), own_weights[name].numpy()
        sparse = 0
        for token in range(2):
            for out in range(w_own.shape[0]):
                for i in range(w_own.shape[1]):
                    sparse += int(own[read][token, i] != theirs[read][token, i])
                    sparse += int(w_own[out, i] != w_base[out, i])
        expected[linear] = (sparse, 2 * w_own.size)
    d_qkv = own["qkv"] != theirs["qkv"]
    logits = values = 0
    for head in range(2):
        columns = range(2 * head, 2 * head + 2)
        for i in range(2):
            for j in range(2):
                for c in columns:
                    logits += int(d_qkv[i, c]) + int(d_qkv[j, 4 + c])
                    values += int(own["weights"][head, i, j] != theirs["weights"][head, i, j])
                    values += int(d_qkv[j, 8 + c])
    expected["logits"] = (logits, 16)
    expected["values"] = (16, 16)
    assert {kind: (w.counted, w.dense) for kind, w in works.items()} == expected
    for kind, work in works.items():
        sparse = values if kind == "values" else work.counted
        assert work.least == min(sparse, work.dense), kind
    ratios = shares(works)
    for name, kinds in (("all", tuple(expected)), ("linears", tuple(LINEARS)), ("fc2", ("fc2",))):
        counted, dense = (sum(expected[kind][i] for kind in kinds) for i in range(2))
        assert ratios[name]["counted"] == pytest.approx(counted / dense)


def _by_hand(transformer, x, reference, theta, points):  # type: ignore[no-untyped-def]
    """One block in numpy; values within theta of ``reference`` are replaced by it."""
    w = {k.removeprefix("blocks.0."): v.numpy() for k, v in transformer.state_dict().items()}
    out = {}

    def carry(point, value):  # type: ignore[no-untyped-def]
        limit = theta if point in points else None
        if reference is not None and limit is not None:
            near = np.abs(value - reference[point]) < limit
            value = np.where(near, reference[point], value)
        elif reference is not None:  # rounding aside, what is the same is the same
            near = np.abs(value - reference[point]) < 1e-6
            value = np.where(near, reference[point], value)
        out[point] = value
        return value

    def norm(v, name):  # type: ignore[no-untyped-def]
        centred = v - v.mean(1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-6)
        return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(v, name):  # type: ignore[no-untyped-def]
        return v @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    qkv = carry("qkv", linear(carry("norm1", norm(x, "norm1")), "qkv"))
    weights = np.zeros((2, 2, 2), np.float32)
    for head in range(2):
        q, k = (qkv[:, p * 4 + 2 * head : p * 4 + 2 * head + 2] for p in (0, 1))
        grown = np.exp(q @ k.T / np.sqrt(2.0))
        weights[head] = grown / grown.sum(1, keepdims=True)
    weights = carry("weights", weights)
    heads = [weights[h] @ qkv[:, 8 + 2 * h : 10 + 2 * h] for h in range(2)]
    x = x + carry("proj", linear(carry("attended", np.concatenate(heads, 1)), "proj"))
    hidden = carry("fc1", linear(carry("norm2", norm(x, "norm2")), "fc1"))
    act = F.gelu(torch.from_numpy(hidden.astype(np.float32))).numpy()
    out["features"] = x + carry("fc2", linear(carry("act", act), "fc2"))
    return out


def test_the_base_itself_costs_nothing_but_its_dense_products() -> None:
    base, subtask = pair(SMALL, density=0.0)
    with torch.no_grad():
        tokens, _ = base.stem(make_images(2))
        _, _, _, works = _shared(base, subtask, tokens, Thresholds((0.1,) * 3, INPUTS))
    ratios = shares(works)
    assert ratios["linears"]["counted"] == 0.0 and ratios["logits"]["counted"] == 0.0
    assert ratios["values"] == {"counted": 1.0, "least": 0.0}


@pytest.mark.parametrize("point", ["qvk", "weights"])
def test_thresholds_at_unknown_points_are_refused(point: str) -> None:
    with pytest.raises(ValueError, match=f"'{point}'.*expected some of .*'attended'"):
        Thresholds((0.1,), (point,))


def test_each_block_has_a_threshold_of_its_own() -> None:
    thresholds = Thresholds((0.1, 0.2), ("qkv", "fc1"))
    assert [thresholds.at(layer, "fc1") for layer in (0, 1)] == [0.1, 0.2]
    assert thresholds.at(1, "proj") == 0.0


def test_changed_weights_are_counted_for_every_token_of_every_image() -> None:
    base, subtask = pair(SMALL)
    with torch.no_grad():
        tokens, _ = base.stem(make_images(2))
        _, _, _, works = _shared(base, subtask, tokens, Thresholds((1e9,) * 3, INPUTS + OUTPUTS))
    changed = subtask.changed_weights(base.transformer)
    # Nothing gets past such thresholds: what is left is X_ref dW.
    for linear in LINEARS:
        nonzeros = sum(block[linear] for block in changed)
        assert nonzeros > 0 and works[linear].counted == 2 * 48 * nonzeros


def test_the_kindest_reading_of_the_values_counts_what_differs() -> None:
    shapes = {"norm1": 4, "qkv": 12, "attended": 4, "proj": 4}
    shapes |= {"norm2": 4, "fc1": 6, "act": 6, "fc2": 4}
    reference = {point: torch.zeros(1, 2, width) for point, width in shapes.items()}
    reference["weights"] = torch.zeros(1, 2, 2, 2)
    values = {point: value.clone() for point, value in reference.items()}
    values["weights"][0, 1, 0, 1] = 1.0
    values["qkv"][0, 1, 9] = 1.0
    work = _shared_work(values, reference, dict.fromkeys(LINEARS, 0))["values"]
    # One weight for the two channels of its head, one value for the two tokens that read it.
    assert (work.counted, work.least, work.dense) == (16, 2 + 2, 16)
