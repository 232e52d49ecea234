"""Deployed networks: batch norms folded, weights that fp16 can hold."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mtshare_ros.export.deploy import deploy
from support.networks import networks


@torch.no_grad()
def test_a_deployed_network_computes_the_same_with_fp16_values_and_no_batch_norms() -> None:
    base, _ = networks()
    for module in base.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    deployed = deploy(base)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in deployed.modules())
    for parameter in deployed.parameters():
        assert torch.equal(parameter, parameter.half().float()) and not parameter.requires_grad
    image = torch.randn(1, 3, 96, 128)
    raw, expected = deployed(image), base(image)
    assert (raw - expected).abs().max() < 0.02 * expected.abs().max()
    assert any(isinstance(module, nn.BatchNorm2d) for module in base.modules())  # left alone


def test_a_batch_norm_that_follows_no_convolution_is_refused() -> None:
    with pytest.raises(ValueError, match="Sequential.1 does not follow a convolution"):
        deploy(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)))
