"""A study is checked strictly before anything is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtshare_ros.study.results import results_of
from mtshare_ros.study.study_config import StudyError, load_study
from support.study_files import (
    SEPARATE,
    study_values,
    write_study,
)

STUDIES = sorted((Path(__file__).parents[2] / "config" / "results").glob("*.yaml"))


@pytest.fixture(scope="module")
def results(
    study_data: Path, study_trained: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    path = tmp_path_factory.mktemp("study") / "s.yaml"
    return results_of(load_study(write_study(path, study_values(study_data, *study_trained))))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_shipped_study_is_valid_and_its_systems_have_every_task(path: Path) -> None:
    study = load_study(path)
    assert all(set(system.tasks) == set(study.metrics) for system in study.systems)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"refrence": "separate"}, "refrence"),
        ({"size": [100, 64]}, r"size \(100, 64\): expected multiples of 16"),
        ({"reference": "sepparate"}, "reference 'sepparate': expected one of separate"),
        ({"rival": "none"}, "rival 'none'"),
        ({"metrics": {"depth": "miou"}}, "metrics.depth: 'miou'"),
        ({"metrics": {"edges": "miou"}}, "no task 'edges'"),
        ({"columns": {"depth": ["rsme"]}}, "columns.depth: 'rsme'"),
        ({"resamples": 3}, "resamples"),
        ({"size": [-16, 48]}, r"size \(-16, 48\): expected multiples of 16"),
        ({"also": ["shared", "none"]}, "also 'none': expected one of separate"),
        (
            {
                "reference": "part",
                "systems": [{"name": "part", "tasks": {"depth": "d"}}],
                "rival": None,
            },
            "reference 'part' lacks task 'normals'",
        ),
        ({"systems": [{"name": "separate", "tasks": SEPARATE, "rho": 1.1}], "rival": None}, "rho"),
        ({"systems": [{"name": "separate", "tasks": {"edges": "x"}}], "rival": None}, "edges"),
        ({"systems": [{"name": "separate", "tasks": SEPARATE}] * 2, "rival": None}, "twice"),
    ],
)
def test_a_wrong_study_is_refused_by_file_and_key(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = write_study(tmp_path / "s.yaml", study_values(tmp_path, tmp_path, **change))
    with pytest.raises(StudyError, match=message) as raised:
        load_study(path)
    assert "s.yaml" in str(raised.value) and "\n" not in str(raised.value)


def test_what_is_not_set_has_its_default(tmp_path: Path) -> None:
    values = study_values(tmp_path, tmp_path)
    del values["resamples"]
    study = load_study(write_study(tmp_path / "s.yaml", values))
    assert (study.resamples, study.seed, study.size) == (2000, 0, None)
    labels = [study.system(name).label for name in ("shared", "units")]
    assert labels == ["Shared encoder", "units"]
