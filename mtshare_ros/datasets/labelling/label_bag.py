"""A recorded bag and teachers -> a data set of the kind ``folder``: `mtshare label`."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.bags.open_bag import BagError
from mtshare_ros.datasets.bags.reader import ClipReader
from mtshare_ros.datasets.image_sets.axes import normals_from_depth
from mtshare_ros.datasets.image_sets.folder_set import (
    Description,
    TaskFolder,
    write_description,
)
from mtshare_ros.datasets.labelling.frames import choose, thumbnail
from mtshare_ros.datasets.labelling.kind_labels import Labels
from mtshare_ros.datasets.labelling.label_files import (
    normals_folder,
    task_folder,
    write_image,
    write_labels,
    write_splits,
)
from mtshare_ros.datasets.labelling.teachers import Teacher
from mtshare_ros.output_checks import check_new_output
from mtshare_ros.perception.camera.calibration import AUTO
from mtshare_ros.progress import OnCount, silent
from mtshare_ros.tasks import KINDS

VALIDATION_SHARE = 0.1
"""Share of the chosen frames that is kept for validation: the last ones in time."""


@dataclass(frozen=True)
class Source:
    """What is labelled.

    Attributes:
        bag: The recorded bag.
        topic: Its image topic; None where it has only one.
        focal_length: fx / width; None takes the bag's calibration.
        frames: Frames to choose.
        intrinsics: Which matrix of the calibration is the images'; see ``ClipReader``.
    """

    bag: Path
    topic: str | None = None
    focal_length: float | None = None
    frames: int = 500
    intrinsics: str = AUTO


@dataclass(frozen=True)
class Labelled:
    """What was made of a bag.

    Attributes:
        description: What ``dataset.yaml`` says.
        images: How many images have labels.
        calibration: Where the focal length comes from.
        warnings: What could not be read.
    """

    description: Description
    images: int
    calibration: str
    warnings: tuple[str, ...]


def label_bag(
    source: Source,
    teachers: Mapping[str, Path],
    output: Path,
    threads: int = 2,
    on_frame: OnCount = silent,
) -> Labelled:
    """Choose varied frames of a bag, label them and write a data set; it appears when complete.

    If a teacher gives depth and none gives normals, normals are computed from that depth.

    Args:
        source: What to label.
        teachers: Task name -> ONNX file, with a YAML file beside it.
        output: Folder to make.
        threads: CPU threads.
        on_frame: Called after each frame with the frames done and those in all, of both passes.

    Returns:
        What was made.

    Raises:
        OSError: ``output`` exists or can't be made.
        TeacherError: A teacher can't be used, or nothing can be learned from the frames.
        BagError: Most of the bag can't be read, or it says nothing of the focal length.
    """
    check_new_output(output)
    opened = [Teacher(name, model, threads) for name, model in teachers.items()]
    reader = ClipReader(
        source.bag, image_topic=source.topic, intrinsics=source.intrinsics, truths=()
    )
    focal_length = source.focal_length or reader.focal_length
    if focal_length is None:
        raise BagError(
            f"bag {source.bag}: no calibration ({reader.calibration.problem}); pass"
            " --focal-length, fx / image width"
        )
    chosen = _choose(reader, source.frames, on_frame)
    output.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        names = _label(reader, chosen, opened, work, focal_length, on_frame)
        kept = max(1, round(VALIDATION_SHARE * len(names)))
        write_splits(work, train=names[:-kept], validation=names[-kept:])
        description = Description(focal_length=focal_length, tasks=_task_folders(opened))
        write_description(work, description)
        work.chmod(0o755)
        os.replace(work, output)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    calibration = f"focal length {focal_length:.4g} widths"
    if source.focal_length is None:
        calibration = f"{reader.calibration.intrinsics}, {calibration}"
    return Labelled(description, len(names), calibration, _warnings(reader))


def _warnings(reader: ClipReader) -> tuple[str, ...]:
    """Return what of the bag could not be read."""
    lost = [f"bag {reader.path}: {reader.losses}"] if reader.losses else []
    return (*lost, *reader.warnings)


def _choose(reader: ClipReader, count: int, on_frame: OnCount) -> list[int]:
    """Return the numbers of the frames to label, after a first pass over the bag."""
    looks, sharpness = [], []
    for index, frame in enumerate(reader.salvaged()):
        look, sharp = thumbnail(frame.rgb)
        looks.append(look)
        sharpness.append(sharp)
        on_frame(index + 1, len(reader) + count)
    chosen = choose(looks, sharpness, count)
    if len(chosen) < 2:
        lost = "".join(f"; {text}" for text in (reader.losses, *reader.warnings) if text)
        raise BagError(
            f"bag {reader.path}: {len(chosen)} frames that differ; expected at least 2, one to"
            f" train on and one to validate on{lost}"
        )
    return chosen


def _label(
    reader: ClipReader,
    chosen: list[int],
    teachers: list[Teacher],
    folder: Path,
    focal_length: float,
    on_frame: OnCount,
) -> list[str]:
    """Write images and labels in a second pass over the bag; return the images' names."""
    wanted, names = set(chosen), []
    source = _normals_source(teachers)
    for index, frame in enumerate(reader.salvaged()):
        if index not in wanted:
            continue
        name = f"{index:06d}"
        write_image(folder, name, frame.rgb)
        for teacher in teachers:
            labels = teacher(frame.rgb)
            write_labels(folder, teacher.name, teacher.settings.kind, name, labels)
            if teacher is source:
                focal_pixels = focal_length * frame.rgb.shape[1]
                normals = normals_from_depth(_smooth(labels.values), focal_pixels)
                computed = Labels(normals, labels.confidence)
                write_labels(folder, "normals", "normals", name, computed)
        names.append(name)
        on_frame(len(reader) + len(names), len(reader) + len(chosen))
    return names


def _normals_source(teachers: list[Teacher]) -> Teacher | None:
    """Return the teacher from whose depth normals are computed; None if one gives normals."""
    if any(t.settings.kind == "normals" or t.name == "normals" for t in teachers):
        return None
    return next((t for t in teachers if KINDS[t.settings.kind].in_metres), None)


def _smooth(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return depth (H, W) averaged over 5x5 pixels: its steps would become slopes in normals."""
    valid = np.isfinite(depth).astype(np.float32)
    summed = cv2.blur(np.nan_to_num(depth), (5, 5))
    weight = cv2.blur(valid, (5, 5))
    return np.where(weight > 0.99, summed / np.maximum(weight, 1e-6), np.float32(np.nan))


def _task_folders(teachers: list[Teacher]) -> dict[str, TaskFolder]:
    """Return what ``dataset.yaml`` says of the labels, by task."""
    folders = {teacher.name: task_folder(teacher.name, teacher.settings) for teacher in teachers}
    if _normals_source(teachers) is not None:
        folders["normals"] = normals_folder()
    return folders
