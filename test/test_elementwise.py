"""The paper's element-wise scheme, as a reference: weights, training, thresholds and counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import SMALL
from torch import Tensor
from torch.nn import functional as F

from mtshare_ros.evaluation.elementwise import (
    LinearProduct,
    LinearWeights,
    measure_elementwise,
    random_difference,
)
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.elementwise import (
    LINEARS,
    ElementGates,
    ElementwiseSubTask,
    Recorder,
    TappedTransformer,
    activation_difference,
    freeze,
)
from mtshare_ros.network.elementwise_counts import (
    BASE,
    INPUTS,
    OUTPUTS,
    ElementwiseStream,
    Thresholds,
    dense_pass,
    references_to_base,
    shared_pass,
    shares,
)
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.training.elementwise_job import ElementwiseJob

TINY = NetworkConfig(
    width=4, depth=1, heads=2, hidden=6, fine_width=4, head_width=4, size=(32, 16)
)
"""Two tokens of width 4."""


def _pair(
    config: NetworkConfig, density: float = 0.1, scale: float = 0.1
) -> tuple[SingleTaskNetwork, ElementwiseSubTask]:
    torch.manual_seed(0)
    base = SingleTaskNetwork(config, 3).eval()
    with torch.no_grad():
        for name, parameter in base.transformer.named_parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
            if config is TINY and name.endswith("weight"):
                parameter.add_(0.5 * torch.randn_like(parameter))
    subtask = ElementwiseSubTask(config, 1).eval()
    random_difference(subtask, density, scale)
    return base, subtask


def _images(count: int, config: NetworkConfig = SMALL) -> Tensor:
    width, height = config.size
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def _batch(count: int) -> dict[str, Tensor]:
    return {"image": _images(count), "depth": torch.full((count, 96, 128), 3.0)}


def _step(job: ElementwiseJob, optimizers: list[torch.optim.Optimizer]) -> dict[str, float]:
    losses = job(_batch(2))
    for optimizer in optimizers:
        optimizer.zero_grad()
    torch.stack(list(losses.values())).sum().backward()
    for optimizer in optimizers:
        optimizer.step()
    return {name: value.item() for name, value in losses.items()}


def _start(job: ElementwiseJob, rate: float) -> list[torch.optim.Optimizer]:
    optimizers = job.train().optimizers(0.01)
    for group in optimizers[0].param_groups:
        group["lr"] = rate
    return optimizers


# Weights and gates


def test_a_sub_task_starts_as_the_base_and_differs_only_inside_its_mask() -> None:
    base, subtask = _pair(SMALL)
    fresh = ElementwiseSubTask(SMALL, 3).eval()
    fresh.head.start_from(base.head)
    with torch.no_grad():
        assert torch.allclose(fresh.merged(base)(_images(1)), base(_images(1)), atol=1e-6)
    merged = dict(subtask.merged(base).transformer.named_parameters())
    masks = subtask.mask.split(subtask.sizes)
    deltas = subtask.delta.split(subtask.sizes)
    for (name, weight), mask, delta in zip(
        base.transformer.named_parameters(), masks, deltas, strict=True
    ):
        expected = weight + torch.where(mask, delta, 0).view_as(weight)
        assert torch.equal(merged[name], expected), name
        assert mask.any(), name  # every tensor takes part: biases and LayerNorms, too


def test_features_with_swapped_weights_are_those_of_the_merged_network() -> None:
    base, subtask = _pair(SMALL)
    with torch.no_grad():
        tokens, _ = base.stem(_images(2))
        expected, _ = subtask.merged(base).transformer(tokens)
        found = subtask.features(base.transformer, tokens)
    assert torch.allclose(found, expected, atol=1e-5)


def test_gates_are_random_in_training_and_deterministic_in_evaluation() -> None:
    gates = ElementGates(SMALL)
    with torch.no_grad():
        gates.logits.zero_()
        gates.logits[:2] = torch.tensor([20.0, -20.0])
    gates.train()
    assert not torch.equal(gates()[0], gates()[0])
    gates.eval()
    assert all(torch.equal(a, b) for a, b in zip(gates(), gates(), strict=True))
    assert gates()[0][:2].tolist() == [1.0, 0.0]
    with torch.no_grad():
        gates.tensor_logits[0] = -20.0
    assert not gates()[0].any()  # a shut tensor gate shuts all its elements


def test_sampled_gates_are_open_as_often_as_expected() -> None:
    gates = ElementGates(SMALL).train()
    with torch.no_grad():
        gates.logits.normal_(-1.0, 2.0)
        gates.tensor_logits.fill_(20.0)
    sampled = torch.cat(gates()).count_nonzero() / gates.logits.numel()
    assert float(sampled) == pytest.approx(gates.expected_density().item(), abs=0.005)


def test_the_constraint_leads_the_expected_density_to_its_target() -> None:
    job = ElementwiseJob(SingleTaskNetwork(SMALL, 3), {"depth": 1}, 0.1, gate_lr=0.1, l1=0.0)
    gates, constraint = job.gates["depth"], job.constraints["depth"]
    _, *optimizers = job.optimizers(0.0)
    assert gates.expected_density().item() > 0.9
    found = []
    for _ in range(450):
        for optimizer in optimizers:
            optimizer.zero_grad()
        constraint(gates.expected_density() - 0.1).backward()
        for optimizer in optimizers:
            optimizer.step()
        found.append(gates.expected_density().item())
    assert np.mean(found[-150:]) == pytest.approx(0.1, abs=0.03)
    assert min(found) > 0.01  # the way down doesn't overshoot to next to nothing


@pytest.mark.parametrize("density", [0.0, 0.05, 0.3])
def test_freezing_keeps_the_largest_gates_within_the_density(density: float) -> None:
    _, subtask = _pair(SMALL, density=1.0)
    gates = ElementGates(SMALL)
    with torch.no_grad():
        gates.logits.normal_(-2.0, 1.0)
        gates.logits[7000:7010] = 9.0
    before = subtask.delta.detach().clone()
    freeze(subtask, gates, density)
    assert density - 1e-4 < subtask.density <= density
    assert subtask.mask[7000:7010].all() == (density > 0)
    factor = torch.cat(gates.eval()())
    assert torch.equal(subtask.delta, before * factor * subtask.mask)


# Training


def test_a_job_learns_gates_then_trains_inside_the_mask_only() -> None:
    torch.manual_seed(0)
    base = SingleTaskNetwork(SMALL, 3)
    job = ElementwiseJob(base, {"depth": 1}, density=0.2, gate_lr=0.2, l1=0.0)
    optimizers = _start(job, 1e-3)
    kept = {name: value.clone() for name, value in base.state_dict().items()}
    first = _step(job, optimizers)
    for _ in range(25):
        last = _step(job, optimizers)
    assert last["depth"] < first["depth"]
    assert job.gauges()["depth_expected"] < 0.9
    job.freeze()
    assert job.frozen and 0.19 < job.gauges()["depth_density"] <= 0.2
    subtask = job.subtasks["depth"]
    mask, before = subtask.mask.clone(), subtask.delta.detach().clone()
    optimizers = _start(job, 1e-3)
    assert len(optimizers) == 1
    for _ in range(3):
        _step(job, optimizers)
    assert torch.equal(subtask.mask, mask)
    moved = subtask.delta.detach() != before
    assert moved.any() and not moved[~mask].any() and not subtask.delta[~mask].any()
    for name, value in base.state_dict().items():
        assert torch.equal(value, kept[name]), name


def test_a_frozen_job_is_rebuilt_from_its_state() -> None:
    torch.manual_seed(0)
    base = SingleTaskNetwork(SMALL, 3)
    job = ElementwiseJob(base, {"depth": 1}, density=0.1, gate_lr=0.1, l1=0.0)
    random_difference(job.subtasks["depth"], 1.0, 0.1)
    job.freeze()
    again = ElementwiseJob(
        SingleTaskNetwork(SMALL, 3), {"depth": 1}, density=0.1, gate_lr=0.1, l1=0.0, frozen=True
    )
    again.load_state_dict(job.state_dict())
    with torch.no_grad():
        one, other = (
            j.eval().subtasks["depth"].merged(j.base.network)(_images(1)) for j in (job, again)
        )
    assert torch.equal(one, other)


def test_the_penalty_is_the_mean_over_every_element_of_the_papers_points() -> None:
    base, subtask = _pair(SMALL)
    own, theirs = Recorder(), Recorder()
    with torch.no_grad():
        tokens, _ = base.stem(_images(2))
        subtask.features(base.transformer, tokens, tap=own)
        TappedTransformer(base.transformer)(tokens, theirs)
    flat = [
        (mine[point] - base_block[point]).abs().flatten()
        for mine, base_block in zip(own.values, theirs.values, strict=True)
        for point in ("norm1", "qkv", "proj", "fc1", "act", "fc2")
    ]
    found = activation_difference(own.values, theirs.values)
    assert float(found) == pytest.approx(float(torch.cat(flat).mean()), rel=1e-4)


def test_the_penalty_pulls_activation_differences_down() -> None:
    last = {}
    for l1 in (0.01, 10.0):
        base, subtask = _pair(SMALL, density=0.2)
        job = ElementwiseJob(base, {"depth": 1}, 0.2, 0.1, l1, frozen=True)
        job.subtasks["depth"].load_state_dict(subtask.state_dict())
        optimizers = _start(job, 3e-3)
        first = _step(job, optimizers)["depth_l1"] / l1
        for _ in range(15):
            last[l1] = _step(job, optimizers)["depth_l1"] / l1
    assert last[10.0] < 0.6 * first and last[10.0] < 0.8 * last[0.01]


# Thresholds and counts


def _shared(
    base: SingleTaskNetwork, subtask: ElementwiseSubTask, tokens: Tensor, thresholds: Thresholds
):  # type: ignore[no-untyped-def]
    _, reference, _ = dense_pass(TappedTransformer(base.transformer), tokens)
    changed = subtask.changed_weights(base.transformer)
    transformer = TappedTransformer(subtask.merged(base).transformer)
    result = shared_pass(transformer, tokens, references_to_base(reference, changed, thresholds))
    return reference, *result


@pytest.mark.parametrize("points", [OUTPUTS, INPUTS])
def test_without_a_threshold_nothing_is_lost(points: tuple[str, ...]) -> None:
    base, subtask = _pair(SMALL)
    with torch.no_grad():
        tokens, _ = base.stem(_images(2))
        expected, _ = subtask.merged(base).transformer(tokens)
        _, found, _, _ = _shared(base, subtask, tokens, Thresholds((0.0,) * 3, points))
    assert torch.allclose(found, expected, atol=1e-5)


def test_small_differences_are_dropped_and_large_ones_stay_as_they_are() -> None:
    base, subtask = _pair(SMALL)
    theta = 0.2
    with torch.no_grad():
        tokens, _ = base.stem(_images(1))
        reference, _, trace, _ = _shared(base, subtask, tokens, Thresholds((theta,) * 3, OUTPUTS))
        own = subtask.merged(base).transformer.blocks[0]
        dense = own.qkv(own.norm1(tokens))
    before, carried = reference[0].values["qkv"], trace[0].values["qkv"]
    small = (dense - before).abs() < theta
    assert 0.05 < small.float().mean() < 0.95
    assert torch.equal(carried[small], before[small])
    assert torch.allclose(carried[~small], dense[~small], atol=1e-6)


def test_a_difference_of_exactly_theta_stays() -> None:
    base, subtask = _pair(TINY, density=0.0)
    with torch.no_grad():
        tokens, _ = base.stem(_images(1, TINY))
        _, reference, _ = dense_pass(TappedTransformer(base.transformer), tokens)
        for step, stays in ((0.5, True), (0.25, False)):
            moved = [replace(reference[0], values=dict(reference[0].values))]
            moved[0].values["norm1"] = torch.floor(reference[0].values["norm1"]) + step
            target = torch.floor(reference[0].values["norm1"])

            class Fixed(TappedTransformer):
                def forward(self, x, tap, target=target):  # type: ignore[no-untyped-def]
                    return super().forward(
                        x, lambda n, p, v: tap(n, p, target if p == "norm1" else v)
                    )

            references = references_to_base(moved, [{}], Thresholds((0.5,), ("norm1",)))
            _, trace, _ = shared_pass(Fixed(base.transformer), tokens, references)
            assert torch.equal(trace[0].values["norm1"], target) == stays


@pytest.mark.parametrize("points", [OUTPUTS, INPUTS])
@pytest.mark.parametrize("attention", [None, 0.02])
def test_counts_are_those_made_by_hand(points: tuple[str, ...], attention: float | None) -> None:
    """Two tokens of width 4, two heads, six hidden neurons, in numpy, element by element."""
    base, subtask = _pair(TINY, density=0.3, scale=0.3)
    theta = 0.15
    limits = Thresholds((theta,), points, attention)
    tokens = torch.randn(1, 2, 4, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        _, found, _, works = _shared(base, subtask, tokens, limits)
    theirs = _by_hand(base.transformer, tokens[0].numpy(), None, theta, points, attention)
    own_network = subtask.merged(base).transformer
    own = _by_hand(own_network, tokens[0].numpy(), theirs, theta, points, attention)
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
    expected["values"] = (16 if attention is None else values, 16)
    assert {kind: (w.counted, w.dense) for kind, w in works.items()} == expected
    for kind, work in works.items():
        sparse = values if kind == "values" else work.counted
        assert work.least == min(sparse, work.dense), kind
    ratios = shares(works)
    assert ratios["all"]["counted"] == pytest.approx(
        sum(c for c, _ in expected.values()) / sum(d for _, d in expected.values())
    )


def _by_hand(transformer, x, reference, theta, points, attention):  # type: ignore[no-untyped-def]
    """One block in numpy; values within theta of ``reference`` are replaced by it."""
    w = {k.removeprefix("blocks.0."): v.numpy() for k, v in transformer.state_dict().items()}
    out = {}

    def carry(point, value):  # type: ignore[no-untyped-def]
        limit = attention if point == "weights" else theta if point in points else None
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
    base, subtask = _pair(SMALL, density=0.0)
    with torch.no_grad():
        tokens, _ = base.stem(_images(2))
        _, _, _, works = _shared(base, subtask, tokens, Thresholds((0.1,) * 3, INPUTS))
    ratios = shares(works)
    assert ratios["linears"]["counted"] == 0.0 and ratios["logits"]["counted"] == 0.0
    assert ratios["values"] == {"counted": 1.0, "least": 0.0}


def test_thresholds_at_unknown_points_are_refused() -> None:
    with pytest.raises(ValueError, match="'qvk'.*expected some of"):
        Thresholds((0.1,), ("qvk",))


# Time


def _stream(
    base: SingleTaskNetwork, subtask: ElementwiseSubTask, theta: float, split: int, every: int
) -> ElementwiseStream:
    limits = Thresholds((theta,) * SMALL.depth, OUTPUTS)
    return ElementwiseStream(base, {"depth": subtask}, limits, limits, split, every)


@pytest.mark.parametrize("split", [0, 1, 3])
def test_without_a_threshold_a_clip_is_computed_exactly(split: int) -> None:
    base, subtask = _pair(SMALL)
    merged = subtask.merged(base)
    stream = _stream(base, subtask, 0.0, split, every=4)
    for image in _images(6):
        maps, _ = stream.step(image[None])
        with torch.no_grad():
            for name, network in ((BASE, base), ("depth", merged)):
                assert torch.allclose(maps[name], network(image[None]), atol=1e-5), name


def test_what_a_frame_costs_depends_on_keyframes_and_on_the_layer_split() -> None:
    base, subtask = _pair(SMALL)
    image = _images(1)
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
    base, subtask = _pair(SMALL)
    stream = _stream(base, subtask, 1e3, split=0, every=5)
    images = _images(6)
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
    base, _ = _pair(SMALL, density=0.0)
    limits = Thresholds((0.3,) * SMALL.depth, OUTPUTS)
    tapped = TappedTransformer(base.transformer)
    with torch.no_grad():
        frames = [base.stem(image[None])[0] for image in _images(3)]
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
    base, subtask = _pair(SMALL)
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


# Counted against measured


def test_sparse_products_are_the_difference_of_the_dense_ones() -> None:
    torch.manual_seed(0)
    base, changed = torch.randn(12, 8), torch.randn(12, 8) * (torch.rand(12, 8) < 0.2)
    x_base, moved = torch.randn(5, 8), torch.randn(5, 8) * (torch.rand(5, 8) < 0.3)
    product = LinearProduct(LinearWeights(base + changed, changed), x_base, x_base + moved)
    expected = (x_base + moved) @ (base + changed).T - x_base @ base.T
    assert torch.allclose(product.by_torch(), expected, atol=1e-5)
    assert np.allclose(product.by_scipy(), expected.numpy(), atol=1e-5)
    assert product.density == pytest.approx(float((moved != 0).float().mean()))


def test_counts_are_reported_beside_real_time() -> None:
    base, subtask = _pair(TINY, density=0.5)
    result = measure_elementwise(base, subtask, _images(2, TINY), 0.1, threads=1, rounds=3)
    assert set(result["milliseconds"]) == {
        "dense network",
        "dense linears",
        "csr scipy",
        "csr torch",
        "to csr",
    }
    assert all(value > 0 for value in result["milliseconds"].values())
    for linear in LINEARS:
        parts = result["weight_density"][linear] + result["input_density"][linear]
        assert result["counted"][linear]["counted"] == pytest.approx(parts, abs=1e-4)
    assert result["csr"] in ("scipy", "torch")
