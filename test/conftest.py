"""Fixtures that several test files share."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtshare_ros.manifest import LayerShare
from mtshare_ros.network.config import NetworkConfig

SMALL = NetworkConfig(width=48, depth=3, heads=3, hidden=96, fine_width=16, size=(128, 96))
"""A network that tests can afford: 48 tokens."""


@pytest.fixture(scope="session")
def bundle_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bundle with random weights: normals as base, depth and segmentation on it."""
    from mtshare_ros.evaluation.bench import random_bundle

    folder = tmp_path_factory.mktemp("bundles") / "small"
    random_bundle(folder, SMALL, LayerShare(1, 32))
    return folder
