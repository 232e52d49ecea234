"""Numbers of a small study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtshare_ros.study.results import results_of
from mtshare_ros.study.study_config import load_study
from support.study_files import study_values, write_study


@pytest.fixture(scope="module")
def results(
    study_data: Path, study_trained: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """Content of ``results.json`` of a small study."""
    path = tmp_path_factory.mktemp("study") / "s.yaml"
    return results_of(load_study(write_study(path, study_values(study_data, *study_trained))))


@pytest.fixture
def timing(results: Any) -> dict[str, Any]:
    """Content of ``timing.json``, with made-up times."""
    cases = [
        {"system": one["name"], "fraction": fraction, "how": "", "p50_ms": (n + 1) * fraction}
        for n, one in enumerate(results["systems"])
        for fraction in (1.0, 0.25)
    ]
    return {
        "network": {"size": [64, 48]},
        "threads": 2,
        "rounds": 60,
        "machine": {"onnxruntime": "1.0", "processor": "a processor"},
        "fractions": [1.0, 0.25],
        "cases": cases,
    }
