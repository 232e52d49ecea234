"""`mtshare label`: from a bag and small teachers to a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros.datasets.bags.open_bag import BagError
from mtshare_ros.datasets.image_sets.folder_set import open_folder
from mtshare_ros.datasets.labelling.label_bag import Source, label_bag
from mtshare_ros.datasets.labelling.teacher_settings import TeacherError
from support.teacher_files import (
    SIZE,
    depth_teacher,
    frame,
    label_small_bag,
    write_bag,
    write_teacher,
)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a bag, two teachers and the data set that comes of them."""
    return label_small_bag(tmp_path_factory.mktemp("label")).parent


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


def test_normals_of_a_teacher_are_taken_and_not_those_of_depth(tmp_path: Path) -> None:
    said = {"kind": "normals", "output": {"means": "vectors", "axes": "x -y -z"}}
    path = write_teacher(tmp_path / "n.onnx", np.zeros((3, 3)), [0.0, 3.0, 4.0], said)
    labelled = label_bag(
        Source(write_bag(tmp_path / "b.mcap", 6)),
        {"depth": depth_teacher(tmp_path), "normals": path},
        tmp_path / "set",
    )
    assert list(labelled.description.tasks) == ["depth", "normals"]
    stored = open_folder(tmp_path / "set", "val").stored(0)["normals"]
    assert np.allclose(stored, [0, -0.6, -0.8], atol=0.01)


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
    with pytest.raises(
        BagError,
        match=r"no calibration \(no camera_info on /front/camera_info\); pass --focal-length",
    ):
        label_bag(Source(tmp_path / "bag"), teachers, tmp_path / "set")
    label_bag(Source(tmp_path / "bag", focal_length=1.25), teachers, tmp_path / "set")
    assert open_folder(tmp_path / "set", "train").focal_length == 1.25 * 64
    messages += [("/rear/image_raw", *m[1:]) for m in messages]
    put(tmp_path / "two", messages)
    with pytest.raises(
        BagError, match="2 cameras; choose with --topic: /front/image_raw, /rear/image_raw"
    ):
        label_bag(Source(tmp_path / "two", focal_length=1.0), teachers, tmp_path / "other")
    source = Source(tmp_path / "two", "/rear/image_raw", 1.0, 2)
    label_bag(source, teachers, tmp_path / "other")
    assert len(list((tmp_path / "other" / "images").iterdir())) == 2
    with pytest.raises(FileExistsError):
        label_bag(source, teachers, tmp_path / "other")


def camera_bag(path: Path, info: Any, broken: int | None = None) -> Path:
    """Write a bag of eight views with ``info`` as their calibration; one may be broken."""
    from mtshare_ros.datasets.bags import topics
    from support.bag_files import image, put

    messages = []
    for index in range(8):
        made = image(frame(index, 4 * index).rgb, "rgb8", index)
        if index == broken:
            object.__setattr__(made, "step", 1)
        messages += [("/front/image", topics.RAW_TYPE, made)]
        messages += [("/front/camera_info", topics.INFO_TYPE, info(index))]
    put(path, messages)
    return path


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"size": (128, 96), "p": 80.0, "roi": (32, 24, 64, 48)}, 80 / 64),
        ({"p": 48.0, "k": 96.0}, 48 / 64),
    ],
)
def test_the_focal_length_is_that_of_the_images(
    tmp_path: Path, options: dict[str, Any], expected: float
) -> None:
    from support.bag_files import camera_info

    bag = camera_bag(tmp_path / "bag", lambda t: camera_info(t, **{"size": SIZE, **options}))
    label_bag(Source(bag), {"depth": depth_teacher(tmp_path)}, tmp_path / "set")
    assert open_folder(tmp_path / "set", "train").focal_length == expected * 64


def test_a_calibration_of_other_images_is_no_calibration(tmp_path: Path) -> None:
    from support.bag_files import camera_info

    bag = camera_bag(tmp_path / "bag", lambda t: camera_info(t, (640, 480)))
    said = (
        r"no calibration \(/front/camera_info: none of 8 .* of 640x480; expected .* 64x48\); pass"
    )
    with pytest.raises(BagError, match=said):
        label_bag(Source(bag), {"depth": depth_teacher(tmp_path)}, tmp_path / "set")
    with pytest.raises(BagError, match="expected a calibrated camera"):
        bag = camera_bag(tmp_path / "k", lambda t: camera_info(t, SIZE, k=0))
        source = Source(bag, intrinsics="k")
        label_bag(source, {"depth": depth_teacher(tmp_path)}, tmp_path / "set")


def test_a_bag_with_one_bad_image_and_no_end_is_labelled_and_the_rest_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mtshare_ros import cli
    from support.bag_files import camera_info

    bag = camera_bag(tmp_path / "bag", lambda t: camera_info(t, SIZE), broken=3)
    (file,) = bag.glob("*.mcap")
    file.write_bytes(file.read_bytes()[:-20])
    teacher = f"depth={depth_teacher(tmp_path)}"
    command = ["label", "--bag", file, "--teacher", teacher, "--output", tmp_path / "set"]
    assert cli.run([str(word) for word in command]) == 0
    captured = capsys.readouterr()
    lost, unread = captured.err.splitlines()
    assert lost.startswith(f"warning: bag {file}: is cut off")
    said = "warning: /front/image: 1 of 8 messages can't be used: 0.000000003 s: step 1"
    assert unread.startswith(said)
    assert captured.out.startswith(f"{tmp_path / 'set'}: depth, normals; 7 images, fx 38.4 (P)")


def test_a_bag_of_too_few_frames_says_what_of_it_is_lost(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "one.mcap", frames=1)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BagError, match="1 frames that differ; .* validate on; is cut off"):
        label_bag(Source(path), {"depth": depth_teacher(tmp_path)}, tmp_path / "set")
