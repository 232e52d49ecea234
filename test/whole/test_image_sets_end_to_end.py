"""From the files of a data set to a bundle and its scores: real training, real ONNX Runtime."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros import cli
from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.datasets.image_sets.image_set import ImageSet
from mtshare_ros.datasets.image_sets.kinds import open_images
from mtshare_ros.datasets.image_sets.vocabularies import NYUD_CLASSES, PART_CLASSES, PASCAL_CLASSES
from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation import image_sets
from mtshare_ros.evaluation.evaluate import evaluate
from mtshare_ros.evaluation.image_sets import ImageFrames, centred
from mtshare_ros.evaluation.run_options import Options
from mtshare_ros.export.export_run import export_run
from mtshare_ros.training.configuration import ConfigError, load_config
from mtshare_ros.training.train import train
from support.fake_stills import config, write_config
from support.trees import write_nyud, write_pascal

RECIPES = Path(__file__).parents[2] / "config" / "training"
PHASE = {"size": [64, 48], "steps": 4, "batch": 2, "lr": 1e-3, "warmup": 1}
TASKS = {
    "nyud": ["normals", "segmentation", "depth", "boundary"],
    "pascal_context": ["normals", "segmentation", "human_parts", "saliency", "boundary"],
}


@pytest.mark.parametrize(("name", "kind"), [("nyud", "nyud"), ("pascal", "pascal_context")])
def test_the_shipped_recipes_are_valid_and_train_every_task(name: str, kind: str) -> None:
    recipe = load_config(RECIPES / f"{name}.yaml")
    assert recipe.data.kind == kind and recipe.data.crop is not None
    assert list(recipe.stages[0].tasks) == TASKS[kind]
    sizes = image_sets.PROTOCOLS["invpt"].sizes
    assert recipe.data.crop.size == recipe.network.size == sizes[kind]


def settings(kind: str, root: Path, crop: bool = True) -> dict[str, Any]:
    stages = [
        {"kind": "together", "name": "all", "tasks": TASKS[kind], "heads": 1, "neurons": 32},
        {"kind": "gates", "name": "gates", "base": "all", "tasks": TASKS[kind][1:3], "rho": 0.3},
        {"kind": "units", "name": "units", "base": "all", "start": "gates"},
    ]
    stages[1] |= {"heads": 2, "neurons": 64}
    data: dict[str, Any] = {"kind": kind, "train": str(root), "validation": str(root)}
    if crop:
        data["crop"] = {"size": [64, 48]}
    return config(*({**stage, "phases": [PHASE]} for stage in stages), data=data)


@pytest.fixture(
    scope="module", params=["nyud", pytest.param("pascal_context", marks=pytest.mark.slow)]
)
def trained(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """Return kind, root and bundle of a network that was trained on crops of a data set."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "nyud":
        root = write_nyud(folder / "NYUDv2", png=True)
    else:
        root = write_pascal(folder / "PASCAL_MT")
    train(write_config(folder / "c.yaml", settings(request.param, root)), folder / "run")
    export_run(folder / "run", folder / "bundle", ["all"])
    return request.param, root, folder / "bundle"


def test_the_bundle_has_the_classes_of_the_data_set(trained: tuple[str, Path, Path]) -> None:
    kind, _, bundle = trained
    manifest = load_manifest(bundle)
    assert [task.name for task in manifest.tasks] == TASKS[kind]
    classes = {t.name: [c.name for c in t.classes] for t in manifest.tasks if t.classes}
    if kind == "nyud":
        assert classes == {"segmentation": NYUD_CLASSES}
        assert manifest.input.focal_length == pytest.approx(518.86 / 64)
    else:
        assert classes == {"segmentation": PASCAL_CLASSES, "human_parts": list(PART_CLASSES)}
        assert manifest.task("human_parts").channels == 7
    scored = {"nyud": set(TASKS[kind]), "pascal_context": set(TASKS[kind]) - {"human_parts"}}
    found = {name for name, values in manifest.metrics["validation"].items() if values}
    assert found == scored[kind]  # nobody is in the image that PASCAL's tree validates on


def test_a_bundle_is_scored_on_its_data_set(
    capsys: Any, tmp_path: Path, trained: tuple[str, Path, Path]
) -> None:
    kind, root, bundle = trained
    command = ["evaluate", bundle, "--dataset", kind, "--root", root, "--split", "train"]
    assert cli.run([*map(str, command), "--output", str(tmp_path)]) == 0
    capsys.readouterr()
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["frames"] == 2 and set(report["tasks"]) == set(TASKS[kind])
    assert "miou_legacy" in report["legacy"]["segmentation"]
    if kind == "pascal_context":
        assert set(report["legacy"]["saliency"]) == {"max_f_coarse", "max_f_legacy"}
        assert report["tasks"]["human_parts"] != report["tasks"]["segmentation"]
    assert (tmp_path / "index.html").stat().st_size > 10000


def score(
    bundle: Path, opened: ImageSet, kind: str, output: Path, protocol: str = "stretch"
) -> dict[str, Any]:
    """Return the report of a bundle on images."""
    source = partial(ImageFrames, opened, kind, protocol)
    return evaluate(bundle, source, output, Options().of_single_images())


def test_a_protocol_of_another_size_is_refused_and_another_data_set_too(
    tmp_path: Path, trained: tuple[str, Path, Path]
) -> None:
    kind, root, bundle = trained
    opened = open_images(kind, root, "val")
    with pytest.raises(OptionError, match="protocol invpt of .*expected a bundle for .*64x48"):
        score(bundle, opened, kind, tmp_path, "invpt")
    with pytest.raises(OptionError, match="protocol mtl: of nyud, pascal_context, not folder"):
        score(bundle, opened, "folder", tmp_path, "mtl")
    if kind == "nyud":
        other = open_images("pascal_context", write_pascal(tmp_path / "p"), "val")
        with pytest.raises(OptionError, match="segmentation is segmentation background, aero"):
            score(bundle, other, "pascal_context", tmp_path)


def test_the_frame_of_a_protocol_is_not_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: tuple[str, Path, Path]
) -> None:
    kind, root, bundle = trained
    if kind == "nyud":
        pytest.skip("its images are wider than the small network")
    monkeypatch.setitem(image_sets.PROTOCOLS["invpt"].sizes, kind, (64, 48))
    opened = open_images(kind, root, "train")
    # The image fills the frame: both ways are one.
    padded = score(bundle, opened, kind, tmp_path, "invpt")
    assert padded["tasks"] == score(bundle, opened, kind, tmp_path)["tasks"]


def test_an_image_is_put_in_the_middle() -> None:
    image = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    canvas, region = centred(image, (12, 8), "a")
    assert np.array_equal(canvas[region], image)
    assert np.array_equal(canvas[1:6, 2:9], image) and (canvas[0] == [124, 116, 104]).all()
    with pytest.raises(OptionError, match="image a: 7x5; protocol invpt expects up to 6x8"):
        centred(image, (6, 8), "a")


def test_whole_images_are_stretched_without_crops(tmp_path: Path) -> None:
    values = settings("nyud", write_nyud(tmp_path / "set", png=False), crop=False)
    values["stages"] = values["stages"][:1]
    records = train(write_config(tmp_path / "c.yaml", values), tmp_path / "run")
    assert records["all"]["data"]["focal_length"] == pytest.approx(518.86 / 448)
    assert set(records["all"]["validation"]) == set(TASKS["nyud"])


@pytest.mark.parametrize(
    ("task", "message"), [("saliency", "no task 'saliency'; expected one of"), ("edges", "edges")]
)
def test_a_task_that_a_data_set_lacks_is_refused(tmp_path: Path, task: str, message: str) -> None:
    values = settings("nyud", tmp_path)
    values["stages"][0]["tasks"] = ["normals", task]
    with pytest.raises(ConfigError, match=message):
        load_config(write_config(tmp_path / "c.yaml", values))


def test_an_image_in_both_splits_is_refused(tmp_path: Path) -> None:
    root = write_nyud(tmp_path / "set", png=True)
    (root / "gt_sets" / "val.txt").write_text("0002\n0003\n")
    with pytest.raises(ConfigError, match="0002 is in both splits"):
        train(write_config(tmp_path / "c.yaml", settings("nyud", root)), tmp_path / "run")
    assert not (tmp_path / "run").exists()
