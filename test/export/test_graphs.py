"""The graphs of a bundle: where their tensors come from and go."""

from __future__ import annotations

from dataclasses import replace

import torch

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.export.deploy import deploy
from mtshare_ros.export.graphs import plan_graphs
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from support.networks import networks
from support.samples import SMALL


@torch.no_grad()
def test_every_input_is_a_cache_or_another_graph_s_output_and_shapes_are_those_planned() -> None:
    base, subtasks = networks()
    plans = plan_graphs(deploy(base), "normals", {n: deploy(s) for n, s in subtasks.items()})
    assert list(plans) == ["stem", "base", "normals", "depth", "segmentation"]
    tensors = {"image": torch.randn(1, 3, 96, 128), "index": torch.arange(SMALL.rows)}
    for name, plan in plans.items():
        inputs = []
        for spec in plan.inputs:
            shape = [SMALL.rows if n is None else n for n in spec.shape]
            if spec.name in plan.state:
                value = torch.zeros(shape)
            else:
                value = tensors[plan.reads.get(spec.name, spec.name)]
            assert list(value.shape) == shape, (name, spec.name)
            inputs.append(value)
        outputs = plan.module(*inputs)
        for spec, value in zip(plan.outputs, outputs, strict=True):
            assert value.shape == spec.shape, (name, spec.name)
            written = {output: cache for cache, output in plan.state.items()}
            tensors[f"{name}.{written.get(spec.name, spec.name)}"] = value


def test_shapes_are_planned_off_the_usual_case() -> None:
    """A wide input, prefix tokens, and a sub-task some of whose blocks have no heads."""
    config = replace(SMALL, size=(160, 48), stem="patch", prefix=2)
    shares = [LayerShare(0, 0), LayerShare(2, 0), LayerShare(0, 32)]
    plans = plan_graphs(
        SingleTaskNetwork(config, 3), "normals", {"depth": SubTask(config, shares, 1)}
    )
    shapes = {
        name: {t.name: t.shape for t in (*plan.inputs, *plan.outputs)}
        for name, plan in plans.items()
    }
    assert shapes["stem"] == {
        "image": (1, 3, 48, 160), "tokens": (32, 48), "fine": (1, 16, 12, 40)
    }  # fmt: skip
    assert shapes["normals"]["raw"] == (1, 3, 12, 40)
    assert shapes["depth"]["raw"] == (1, 1, 12, 40) and shapes["depth"]["index"] == (None,)
    assert list(plans["depth"].state) == ["own_key_01", "own_value_01", "own_cells"]
    assert shapes["depth"]["own_key_01"] == shapes["depth"]["own_value_01_next"] == (32, 32)
    reads = {f"{kind}_{n:02d}" for n in range(3) for kind in ("attention", "mlp")}
    assert set(plans["depth"].reads) == {"tokens", "fine", *reads}
    assert plans["depth"].reads["mlp_01"] == "base.mlp_01"
