"""A short clip, and what became of it in every way."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtshare_ros.study.reuse.played_clips import Clip
from support.reuse_clip import play_bag, write_bag


@pytest.fixture(scope="session")
def reuse_bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clip's bag."""
    return write_bag(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def played(bundle_path: Path, reuse_bag: Path) -> Clip:
    """The clip, played."""
    return play_bag(bundle_path, reuse_bag)
