"""timm for tests, also beside a torchvision whose compiled part does not load."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import nn

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
"""Operators that torchvision's Python part looks up while it is imported."""
_KEPT: list[torch.library.Library] = []


def import_timm() -> Any:
    """Import timm.

    torchvision's wheel for CUDA does not load beside torch for the CPU; timm needs none of its
    operators, only their names.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in [m for m in sys.modules if m.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for schema in _SCHEMAS:
            library.define(schema)
        _KEPT.append(library)
    import timm

    return timm


SIZE = (64, 48)
"""Width and height of the images of ``build_model``."""


def build_model(name: str, **settings: Any) -> Any:
    """Return a timm model for small images, with patches of 16 and every weight in use."""
    defaults = {"img_size": SIZE[::-1], "patch_size": 16, "num_classes": 0}
    model = import_timm().create_model(name, **{**defaults, **settings}, weight_init="skip")
    _randomise(model)
    return model.eval()


def _randomise(module: nn.Module) -> None:
    """Give every weight a part in the outcome: norms, biases, LayerScale and tokens, too."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, value in module.named_parameters():
            if name.endswith("gamma"):
                value.uniform_(0.2, 1.5)
            else:
                value.normal_(std=0.05)
                if "norm" in name and name.endswith("weight"):
                    value.add_(1.0)
