"""The graphs of a bundle: where their tensors come from and go."""

from __future__ import annotations

import torch

from mtshare_ros.export.deploy import deploy
from mtshare_ros.export.graphs import plan_graphs
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
