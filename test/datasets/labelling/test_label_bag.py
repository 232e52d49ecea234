"""`mtshare label`: from a bag and small teachers to a data set, a network and a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mtshare_ros import cli
from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.datasets.bags.open_bag import BagError
from mtshare_ros.datasets.image_sets.folder_set import open_folder
from mtshare_ros.datasets.labelling.frames import choose, thumbnail
from mtshare_ros.datasets.labelling.label_bag import Source, label_bag
from mtshare_ros.datasets.labelling.teacher_settings import TeacherError, parse_teachers
from mtshare_ros.datasets.labelling.teachers import Teacher
from mtshare_ros.training.configuration import load_config
from support.fake_stills import config, write_config
from support.teacher_files import (
    SIZE,
    class_teacher,
    depth_teacher,
    frame,
    write_bag,
    write_teacher,
)

RECIPE = Path(__file__).parents[3] / "config" / "training" / "own.yaml"


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a bag, two teachers and the data set that comes of them."""
    folder = tmp_path_factory.mktemp("label")
    bag = write_bag(folder / "bag.mcap", blurred=(7,))
    teachers = [f"depth={depth_teacher(folder)}", f"segmentation={class_teacher(folder)}"]
    command = ["label", "--bag", bag, "--output", folder / "set", "--frames", 12]
    for teacher in teachers:
        command += ["--teacher", teacher]
    assert cli.run([str(word) for word in command]) == 0
    return folder


def test_one_frame_of_each_view_is_chosen_and_the_last_are_kept_for_validation(
    labelled: Path,
) -> None:
    train, validation = (open_folder(labelled / "set", split) for split in ("train", "val"))
    chosen = [int(name) for name in train.names + validation.names]
    # Eight views of three equal frames each; of the third, frame 7 is blurred.
    assert sorted(number // 3 for number in chosen) == list(range(8)) and 7 not in chosen
    assert len(validation) == 1 and int(validation.names[0]) == max(chosen)


def test_labels_are_what_the_teachers_said_in_the_data_sets_units(labelled: Path) -> None:
    opened = open_folder(labelled / "set", "train")
    assert opened.focal_length == pytest.approx(0.9 * SIZE[0])
    position = 4 * (int(opened.names[2]) // 3)
    sample = opened.stored(2)
    inside, outside = np.s_[18:30, position + 6 : position + 18], np.s_[2:8, :]
    assert np.abs(sample["rgb"][inside].astype(int).mean((0, 1))[0] - 230) < 6
    assert np.allclose(sample["depth"][inside], 1 + 2 * 230 / 255, atol=0.05)
    assert np.allclose(sample["depth"][outside], 1 + 2 * 20 / 255, atol=0.05)
    assert opened.tasks["segmentation"].classes[1].name == "bright"
    assert (sample["segmentation"][inside] == 1).all()
    assert (sample["segmentation"][outside] == 0).all()
    # From depth: inside the square a wall ahead; nothing is said at its edge.
    assert np.allclose(sample["normals"][inside], [0, 0, -1], atol=0.02)
    assert not sample["normals"][20, position].any()


def test_what_a_teacher_is_not_sure_of_is_ignored(tmp_path: Path) -> None:
    said = {
        "kind": "segmentation",
        "output": {"means": "logits"},
        "classes": {"low": [0], "high": [1]},
        "least_confidence": 0.9,
    }
    path = write_teacher(tmp_path / "t.onnx", [[-20, 0, 0], [20, 0, 0]], [10, -10], said)
    ramp = np.zeros((48, 64, 3), np.uint8)
    ramp[..., 0] = np.linspace(0, 255, 64)
    labels = Teacher("things", path)(ramp)
    sure = labels.confidence[20]
    assert sure[5] > 0.99 and sure[-5] > 0.99 and sure[31:33].max() < 0.6
    assert (labels.values[20, :30] == 0).all() and (labels.values[20, 34:] == 1).all()


def test_depth_is_unsure_where_the_mirrored_image_gets_another() -> None:
    class Slanted(Teacher):
        def __init__(self) -> None:
            self.settings: Any = type("S", (), {"kind": "depth"})

        def _label(self, rgb: Any) -> Any:
            depth = np.full(rgb.shape[:2], 2.0, np.float32)
            depth[:, 0] = 4.0  # wherever the left border is
            return depth, np.ones(rgb.shape[:2], np.float32)

    labels = Slanted()(np.zeros((4, 6, 3), np.uint8))
    assert labels.confidence[0].tolist() == [0, 1, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("means", "weights", "bias", "expected"),
    [
        ("metres", [[0, 0, 0]], [2.5], 2.5),
        ("log_metres", [[0, 0, 0]], [np.log(4.0)], 4.0),
        ("inverse_metres", [[0, 0, 0]], [0.25], 4.0),
        ("metres", [[0, 0, 0]], [50.0], np.nan),  # farther than is believed
        ("inverse_metres", [[0, 0, 0]], [0.0], np.nan),
    ],
)
def test_depth_is_in_metres_whatever_the_teacher_says_it_in(
    tmp_path: Path, means: str, weights: Any, bias: Any, expected: float
) -> None:
    said = {"kind": "depth", "output": {"means": means}}
    teacher = Teacher("depth", write_teacher(tmp_path / "t.onnx", weights, bias, said))
    found = teacher(frame(0, 0).rgb).values
    assert np.allclose(found, expected, equal_nan=True) and found.dtype == np.float32


def test_the_input_is_scaled_and_ordered_as_the_yaml_says(tmp_path: Path) -> None:
    path = write_teacher(
        tmp_path / "t.onnx",
        [[0, 0, 1]],
        [10],
        {"kind": "depth", "output": {"means": "metres", "scale": 0.5}},
    )
    values = yaml.safe_load(path.with_suffix(".yaml").read_text())
    values["input"] |= {"colour": "bgr", "scale": 0.1, "mean": [9, 9, 2.0], "std": [1, 1, 4.0]}
    path.with_suffix(".yaml").write_text(yaml.safe_dump(values))
    rgb = np.tile(np.array([100, 0, 0], np.uint8), (48, 64, 1))
    # The third channel of bgr is red: ((100 * 0.1 - 2) / 4 + 10) * 0.5.
    assert np.allclose(Teacher("depth", path)(rgb).values, 6.0)


def test_normals_of_a_teacher_are_turned_and_its_own_are_taken(tmp_path: Path) -> None:
    said = {"kind": "normals", "output": {"means": "vectors", "axes": "x -y -z"}}
    path = write_teacher(tmp_path / "n.onnx", np.zeros((3, 3)), [0.0, 3.0, 4.0], said)
    labels = Teacher("normals", path)(frame(0, 0).rgb)
    assert np.allclose(labels.values, [0, -0.6, -0.8], atol=1e-6)
    assert labels.confidence.min() == pytest.approx(1, abs=1e-2)
    description = label_bag(
        Source(write_bag(tmp_path / "b.mcap", 6)),
        {"depth": depth_teacher(tmp_path), "normals": path},
        tmp_path / "set",
    )
    assert list(description.tasks) == ["depth", "normals"]
    stored = open_folder(tmp_path / "set", "val").stored(0)["normals"]
    assert np.allclose(stored, [0, -0.6, -0.8], atol=0.01)


def test_a_network_is_distilled_exported_and_scored(
    capsys: Any, tmp_path: Path, labelled: Path
) -> None:
    assert load_config(RECIPE).data.kind == "folder"
    phase = {"size": [64, 48], "steps": 150, "batch": 4, "lr": 3e-3, "warmup": 10}
    tasks = ["depth", "segmentation", "normals"]
    stage = {"kind": "together", "name": "all", "tasks": tasks, "heads": 1, "neurons": 32}
    root = str(labelled / "set")
    data = {"kind": "folder", "train": root, "validation": root, "colour_jitter": 0.0}
    recipe = write_config(tmp_path / "c.yaml", config({**stage, "phases": [phase]}, data=data))
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    assert cli.run(["train", str(recipe), "--output", str(run)]) == 0
    assert cli.run(["export", str(run), "--output", str(bundle)]) == 0
    manifest = load_manifest(bundle)
    assert [c.name for c in manifest.task("segmentation").classes] == ["dark", "bright"]
    assert manifest.input.focal_length == pytest.approx(0.9)
    assert manifest.task("depth").value_range == (0.1, 20.0)
    command = ["evaluate", bundle, "--dataset", "folder", "--root", root, "--output", tmp_path]
    assert cli.run([str(word) for word in command]) == 0
    capsys.readouterr()
    scores = yaml.safe_load((tmp_path / "report.json").read_text())["tasks"]
    # Half of the error of a constant guess; the square is a fifth of the image.
    assert scores["depth"]["abs_rel"] < 0.25
    assert scores["segmentation"]["miou"] > 0.6


def test_frames_that_look_alike_are_chosen_once() -> None:
    looks = [thumbnail(frame(i, 8 * (i // 4)).rgb)[0] for i in range(12)]
    assert [index // 4 for index in choose(looks, [1.0] * 12, 9)] == [0, 1, 2]
    assert len(choose(looks, [1.0] * 12, 2)) == 2
    assert choose([], [], 5) == []
    sharp = thumbnail(frame(0, 8).rgb)[1]
    import cv2

    assert thumbnail(cv2.blur(frame(0, 8).rgb, (15, 15)))[1] < 0.4 * sharp


def wrong_yaml(folder: Path) -> None:
    path = folder / "depth.yaml"
    path.write_text(path.read_text().replace("metres", "feet"))


def no_yaml(folder: Path) -> None:
    (folder / "depth.yaml").unlink()


def no_model(folder: Path) -> None:
    (folder / "depth.onnx").unlink()


def junk(folder: Path) -> None:
    (folder / "depth.onnx").write_bytes(b"junk")


def channels(folder: Path) -> None:
    said = {"kind": "depth", "output": {"means": "metres"}}
    write_teacher(folder / "depth.onnx", np.zeros((2, 3)), [1, 1], said)


def size(folder: Path) -> None:
    path = folder / "depth.yaml"
    path.write_text(path.read_text().replace("32", "33"))


def output(folder: Path) -> None:
    said = {"kind": "depth", "output": {"means": "metres", "name": "disparity"}}
    write_teacher(folder / "depth.onnx", np.zeros((1, 3)), [1], said)


def not_finite(folder: Path) -> None:
    said = {"kind": "depth", "output": {"means": "metres"}}
    write_teacher(folder / "depth.onnx", np.zeros((1, 3)), [np.nan], said)


@pytest.mark.parametrize(
    ("breaking", "said"),
    [
        (wrong_yaml, "depth.yaml: .*'feet': expected one of metres, log_metres"),
        (no_yaml, "depth.yaml: not found"),
        (no_model, "depth.onnx: not found"),
        (junk, "depth.onnx: can't be opened"),
        (channels, r"output result: \(2, 24, 32\); expected 1 channels in layout nchw"),
        (size, "depth.onnx: .*"),
        (output, "outputs result; expected disparity"),
        (not_finite, "not finite"),
    ],
)
def test_a_teacher_that_can_not_be_used_is_named(
    tmp_path: Path, labelled: Path, breaking: Any, said: str
) -> None:
    model = depth_teacher(tmp_path)
    breaking(tmp_path)
    with pytest.raises(TeacherError, match=said) as raised:
        label_bag(Source(labelled / "bag.mcap"), {"depth": model}, tmp_path / "set")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "set").exists() and not list(tmp_path.glob(".set*"))


def test_a_bag_without_calibration_needs_a_focal_length(tmp_path: Path) -> None:
    from mtshare_ros.datasets.bags import topics
    from support.bag_files import image, put

    messages = [
        ("/front/image_raw", topics.RAW_TYPE, image(frame(i, 8 * i).rgb, "rgb8", i + 1))
        for i in range(4)
    ]
    put(tmp_path / "bag", messages)
    teachers = {"depth": depth_teacher(tmp_path)}
    with pytest.raises(BagError, match="no calibration; pass --focal-length"):
        label_bag(Source(tmp_path / "bag"), teachers, tmp_path / "set")
    label_bag(Source(tmp_path / "bag", focal_length=1.25), teachers, tmp_path / "set")
    assert open_folder(tmp_path / "set", "train").focal_length == 1.25 * 64
    messages += [("/rear/image_raw", *m[1:]) for m in messages]
    put(tmp_path / "two", messages)
    with pytest.raises(BagError, match="no images on camera/image or .*; it has front/image_raw"):
        label_bag(Source(tmp_path / "two", focal_length=1.0), teachers, tmp_path / "other")
    source = Source(tmp_path / "two", "/rear/image_raw", 1.0, 2)
    label_bag(source, teachers, tmp_path / "other")
    assert len(list((tmp_path / "other" / "images").iterdir())) == 2
    with pytest.raises(FileExistsError):
        label_bag(source, teachers, tmp_path / "other")


@pytest.mark.parametrize("texts", [["depth"], ["depth="], ["=x"], ["De=x"], ["a=x", "a=y"]])
def test_teachers_are_named_by_task(texts: list[str]) -> None:
    with pytest.raises(TeacherError, match="--teacher"):
        parse_teachers(texts)
