"""Trainings of this room read a few stills that are made in memory."""

from __future__ import annotations

import pytest

from mtshare_ros.training import data_sets
from support.fake_stills import FakeStills


@pytest.fixture(autouse=True)
def fake_stills(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for folders of rendered stills."""
    monkeypatch.setattr(data_sets, "StillsDataset", FakeStills)
