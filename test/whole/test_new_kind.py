"""A new kind of task by its record and one entry in each table: trained, exported, scored, shown.

The kind ``toy`` is the brightness of a pixel, 0 to 1. The tables are listed in docs/design.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from mtshare_ros import cli, tasks
from mtshare_ros.datasets.image_sets import folder_set
from mtshare_ros.datasets.labelling import kind_labels
from mtshare_ros.evaluation.pictures import map_pictures
from mtshare_ros.metrics import measures, names
from mtshare_ros.metrics.accumulator import Additive
from mtshare_ros.perception import decode
from mtshare_ros.perception.engines import selftest
from mtshare_ros.perception.motion import carry
from mtshare_ros.perception.serving import fusion
from mtshare_ros.ros import kind_outputs
from mtshare_ros.simulator.simulate import write_clip
from mtshare_ros.training import losses
from support.documented import ROOT
from support.fake_stills import PHASE
from support.ros_harness import SECOND, connected, image, peer, perception_node, send, wait_for

TOY = tasks.Kind(
    name="toy",
    channels=1,
    units="brightness, 0 to 1",
    value_range=(0.0, 1.0),
    metrics=("off",),
    higher_is_better=False,
    truth="toy",
    topic="image",
    encoding="32FC1",
    disagreement="mean |a - b|",
)


class Off(Additive):
    """The mean distance from the truth."""

    sums = ("pixels", "sum")

    def __init__(self) -> None:
        """Start empty."""
        self.pixels, self.sum = 0, 0.0

    def update(self, prediction: NDArray[Any], truth: NDArray[Any]) -> None:
        """Add one image."""
        self.pixels += truth.size
        self.sum += float(np.abs(prediction - truth).sum())

    def scores(self, state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        """Return the mean distance of sums."""
        with np.errstate(invalid="ignore"):
            return {"off": state["sum"] / state["pixels"]}


def upsampled(decoder: decode.Decoder, raw: decode.RawMap, *_: Any) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(raw[0], decoder.size), np.float32).clip(0, 1)


def apart(a: Any, b: Any) -> Any:
    return abs(a - b).mean()


def grey(array: NDArray[Any]) -> NDArray[np.uint8]:
    return np.repeat((255 * array[..., None]).astype(np.uint8), 3, axis=2)


ENTRIES: dict[str, tuple[dict[str, Any], Any]] = {
    "tasks.KINDS": (tasks.KINDS, TOY),
    "perception.decode.DECODERS": (decode.DECODERS, upsampled),
    "perception.motion.carry.RULES": (carry.RULES, carry.RULES["boundary"]),
    "perception.serving.fusion.FUSIONS": (fusion.FUSIONS, fusion.FUSIONS["boundary"]),
    "perception.engines.selftest.HALF_DIFFERENCES": (
        selftest.HALF_DIFFERENCES,
        lambda a, b: (apart(a, b) / 0.005, "off"),
    ),
    "ros.kind_outputs.OUTPUTS": (
        kind_outputs.OUTPUTS,
        kind_outputs.KindOutput(lambda _: lambda array, _: grey(array)),
    ),
    "datasets.image_sets.folder_set.KIND_FILES": (
        folder_set.KIND_FILES,
        folder_set.KindFiles(lambda _, values, task: (values / 255).astype(np.float32)),
    ),
    "datasets.labelling.kind_labels.KIND_LABELS": (
        kind_labels.KIND_LABELS,
        kind_labels.KIND_LABELS["boundary"],
    ),
    "training.losses.LOSSES": (
        losses.LOSSES,
        losses.KindLoss(lambda raw, truth: apart(raw[:, 0], truth), apart),
    ),
    "metrics.measures.MEASURES": (
        measures.MEASURES,
        measures.Measure(lambda *_: Off(), lambda a, b: float(apart(a, b))),
    ),
    "evaluation.pictures.map_pictures.PICTURES": (
        map_pictures.PICTURES,
        map_pictures.KindPicture(
            lambda _, array, far: grey(array),
            lambda a, b: (abs(a - b), np.ones(b.shape, np.bool_)),
            "probability",
        ),
    ),
}
"""Table, as the docs name it -> the table and the new kind's entry."""


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    for table, entry in ENTRIES.values():
        monkeypatch.setitem(table, "toy", entry)
    monkeypatch.setitem(names.METRICS, "off", names.MetricName("off by", 1.0, "", False))


def test_every_table_has_every_kind_and_the_docs_list_every_table() -> None:
    for name, (table, _) in ENTRIES.items():
        assert table.keys() == tasks.KINDS.keys(), name
    text = (ROOT / "docs" / "design.md").read_text()
    section = text.split("## A new kind of task", 1)[1].split("\n## ", 1)[0]
    listed = set(re.findall(r"`([a-z_/]+\.py)`: `([A-Z_]+)`", section))
    assert listed == {
        (f"{module.replace('.', '/')}.py", table)
        for module, _, table in (name.rpartition(".") for name in ENTRIES)
    }


def write_set(root: Path) -> None:
    """Write images whose truth is their own brightness."""
    for folder in ("images", "toy"):
        (root / folder).mkdir(parents=True)
    for number in range(6):
        picture = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        picture = np.asarray(cv2.resize(picture, (64, 48)))
        cv2.imwrite(str(root / "images" / f"{number}.png"), picture)
        cv2.imwrite(str(root / "toy" / f"{number}.png"), picture.mean(-1).astype(np.uint8))
    for split, chosen in (("train", range(4)), ("val", range(4, 6))):
        (root / f"{split}.txt").write_text("".join(f"{n}\n" for n in chosen))
    truth = {"kind": "toy", "folder": "toy"}
    description = {"tasks": {"brightness": truth, "shade": truth}}
    (root / "dataset.yaml").write_text(yaml.safe_dump(description))


def test_it_is_trained_exported_scored_and_published(tmp_path: Path, context: Any) -> None:
    write_set(tmp_path / "set")
    write_clip(tmp_path / "clip.mcap", "static", 200_002, 3, (64, 48))
    phase = {**PHASE, "steps": 2, "warmup": 1}
    values = {
        "name": "toy",
        "description": "a new kind",
        "precision": "fp32",
        "data": {
            "kind": "folder",
            **dict.fromkeys(("train", "validation"), str(tmp_path / "set")),
        },
        "network": {"width": 24, "depth": 2, "heads": 3, "hidden": 64, "size": [64, 48]},
        "stages": [
            {"kind": "together", "name": "all", "tasks": ["brightness", "shade"], "heads": 1}
            | {"neurons": 32, "phases": [phase]}
        ],
    }
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(values))
    commands = (
        ("train", tmp_path / "toy.yaml", "--output", tmp_path / "run"),
        ("export", tmp_path / "run", "--output", tmp_path / "bundle"),
        ("evaluate", tmp_path / "bundle", "--dataset", "folder", "--root", tmp_path / "set")
        + ("--output", tmp_path / "report", "--threads", "1"),
        # Bags hold no truth of this kind: it is shown, not scored.
        ("evaluate", tmp_path / "bundle", "--bag", tmp_path / "clip.mcap")
        + ("--output", tmp_path / "unscored", "--threads", "1"),
    )
    for command in commands:
        assert cli.run([str(word) for word in command]) == 0, command
    report = (tmp_path / "report" / "index.html").read_text()
    assert "off by" in report and "Brightness" in report
    assert "Brightness" in (tmp_path / "unscored" / "index.html").read_text()
    with (
        perception_node(context, bundle=str(tmp_path / "bundle")) as node,
        peer(context) as camera,
    ):
        camera.listen("brightness/image", "brightness/color")
        connected(node, camera, "brightness")
        send(node, camera, image(5 * SECOND))
        wait_for(lambda: all(camera.received.values()), "both outputs")
        (message,) = camera.received["brightness/image"]
    assert (message.encoding, message.width, message.height) == ("32FC1", 64, 48)
    assert 0 <= np.frombuffer(message.data, np.float32).min() < 1
