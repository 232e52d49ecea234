"""From a finished run to a bundle that opens: real training, real ONNX Runtime."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.export import export_run as export_module
from mtshare_ros.perception.engines import open_engine
from mtshare_ros.training import data_sets
from mtshare_ros.training.configuration import ConfigError
from mtshare_ros.training.train import train
from support.fake_stills import PHASE, UNITS, FakeStills, config, write_config


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run with sub-tasks on a normals base, and others trained with their base."""
    folder = tmp_path_factory.mktemp("run")
    together = {"kind": "together", "tasks": ["normals", "depth"], "phases": [PHASE]}
    values = config()
    values["stages"] += [
        {"kind": "uniform", "name": "unused", **UNITS, "phases": [PHASE]},
        {**together, "name": "first", "heads": 1, "neurons": 32},
        {**together, "name": "both", "start": "first"},
        {"kind": "gates", "name": "other", **UNITS, "form": "replaced", "rho": 0.3},
        {"kind": "units", "name": "replaced", "base": "base", "start": "other"},
        {"kind": "uniform", "name": "later", **UNITS, "phases": [PHASE]},
    ]
    for stage in values["stages"]:
        stage.setdefault("phases", [PHASE])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_sets, "StillsDataset", FakeStills)
        trained = [s["name"] for s in values["stages"] if s["name"] != "later"]
        train(write_config(folder / "c.yaml", values), folder / "run", only=trained)
    return folder / "run"


@pytest.fixture(autouse=True)
def _stills(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_sets, "StillsDataset", FakeStills)


@pytest.mark.parametrize(
    ("stage", "tasks", "records"),
    [
        ("units", ["normals", "depth", "segmentation"], ["base", "gates", "units"]),
        ("both", ["normals", "depth"], ["first", "both"]),
    ],
)
def test_a_stage_becomes_a_bundle_with_the_record_of_what_it_was_built_on(
    run: Path, tmp_path: Path, stage: str, tasks: list[str], records: list[str]
) -> None:
    export_module.export_run(run, tmp_path / "bundle", [stage])
    manifest = load_manifest(tmp_path / "bundle")
    assert [task.name for task in manifest.tasks] == tasks
    assert list(manifest.training["stages"]) == records
    assert set(manifest.metrics["validation"]) == set(tasks)
    open_engine(tmp_path / "bundle", "onnxruntime", 1)  # its self-test is part of opening


def test_a_stage_that_went_on_with_another_takes_its_place(run: Path, tmp_path: Path) -> None:
    for name in ("first", "both"):
        shutil.copy(run / f"{name}.safetensors", tmp_path)
    values = yaml.safe_load((run / "config.yaml").read_text())
    values["stages"] = [s for s in values["stages"] if s["name"] in ("first", "both")]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
    export_module.export_run(tmp_path, tmp_path / "bundle")
    assert list(load_manifest(tmp_path / "bundle").training["stages"]) == ["first", "both"]


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ([], "several bases .* choose with --stage"),
        (["gates"], "no stage of kind units, uniform or together named 'gates'"),
        (["replaced"], "form 'replaced' can't be exported"),
        (["later"], "stage later is not finished"),
    ],
)
def test_what_can_not_be_exported_is_refused(
    run: Path, tmp_path: Path, only: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        export_module.export_run(run, tmp_path / "bundle", only)
