"""Where compiled engines are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtshare_ros.perception.engines.tensorrt.engine_files import EngineFiles


@pytest.fixture
def files(tmp_path: Path) -> EngineFiles:
    """An empty folder for engines."""
    return EngineFiles(tmp_path / "engines")


@pytest.fixture(scope="module")
def kept_files(tmp_path_factory: pytest.TempPathFactory) -> EngineFiles:
    """A folder for engines that are kept over the tests of a file."""
    return EngineFiles(tmp_path_factory.mktemp("cache") / "engines")
