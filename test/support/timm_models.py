"""timm for tests, also beside a torchvision whose compiled part does not load."""

from __future__ import annotations

import sys
from typing import Any

import torch

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
