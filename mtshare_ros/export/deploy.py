"""From trained modules to what is deployed: batch norms folded, weights rounded to fp16."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Module = TypeVar("Module", bound=nn.Module)


def _fold_batch_norms(module: nn.Module) -> None:
    """Merge each batch norm into the convolution just before it, in place."""
    previous: tuple[str, nn.Module] | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d):
            if previous is None or not isinstance(previous[1], nn.Conv2d):
                raise ValueError(f"{type(module).__name__}.{name} does not follow a convolution")
            setattr(module, previous[0], fuse_conv_bn_eval(previous[1], child))
            setattr(module, name, nn.Identity())
        else:
            _fold_batch_norms(child)
        previous = (name, child)


@torch.no_grad()
def deploy(module: Module) -> Module:
    """Return a copy of ``module`` as it is deployed.

    Batch norms are folded first and every weight is rounded to the nearest fp16 value then, so
    that the exported fp16 initialisers are exactly this copy's weights: it is the reference that
    the bundle is held to.
    """
    deployed = copy.deepcopy(module).eval()
    _fold_batch_norms(deployed)
    for parameter in deployed.parameters():
        parameter.copy_(parameter.half().float())
    return deployed.requires_grad_(False)
