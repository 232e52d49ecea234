"""Validation: a network's maps are decoded as at run time and held against the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.training import validation
from mtshare_ros.training.crops import CropSettings
from mtshare_ros.training.validation import validate
from support.fake_stills import FakeStills
from support.samples import SMALL

SIZE = (64, 48)


class Constant(nn.Module):
    """A network whose raw map is the same everywhere."""

    def __init__(self, values: list[float]) -> None:
        """Give ``values`` for the channels."""
        super().__init__()
        self.values = nn.Parameter(torch.tensor(values))

    def forward(self, image: Tensor) -> Tensor:
        """Return a map at a quarter of the image's size."""
        shape = (len(image), len(self.values), image.shape[2] // 4, image.shape[3] // 4)
        return self.values.view(1, -1, 1, 1).expand(shape)


def test_scores_are_those_of_the_decoded_map() -> None:
    stills = FakeStills()
    network: SingleTaskNetwork = Constant([float(np.log(2.3))])  # type: ignore[assignment]
    scores = validate(network, None, "depth", stills, SIZE)["depth"]
    depth = np.stack([stills.stored(i)["depth"] for i in range(len(stills))]).astype(np.float64)
    error = np.sqrt(np.nanmean((depth - 2.3) ** 2))
    assert scores["rmse"] == pytest.approx(error, abs=1e-3)


def test_a_sub_task_is_scored_on_top_of_its_base() -> None:
    torch.manual_seed(0)
    base = SingleTaskNetwork(SMALL, 3).eval()
    subtask = SubTask(SMALL, [LayerShare(0, 0)] * SMALL.depth, 3).eval()
    subtask.head.load_state_dict(base.head.state_dict())
    seen: list[tuple[int, int, str]] = []

    def on_step(done: int, total: int, text: str) -> None:
        seen.append((done, total, text))

    # Without private units and with the base's head it is the base.
    alone = validate(base, None, "normals", FakeStills(), SIZE)
    assert validate(base, subtask, "normals", FakeStills(), SIZE, on_step=on_step) == alone
    assert seen == [(1, 1, "validating normals")]


def test_images_are_scored_as_they_were_cropped_in_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []
    original = validation.validation_batches

    def batches(*arguments: Any) -> Any:
        asked.append(arguments[1:])
        return original(*arguments[:4])

    monkeypatch.setattr(validation, "validation_batches", batches)
    network: SingleTaskNetwork = Constant([0.0])  # type: ignore[assignment]
    crop = CropSettings(size=(64, 48))
    validate(network, None, "depth", FakeStills(), SIZE, crop)
    assert asked == [(SIZE, 8, ("depth",), crop)]
