"""A recorded bag and teachers -> a data set of the kind ``folder``: `mtshare label`."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.bags import pixels
from mtshare_ros.datasets.bags.reader import BagError, ClipReader
from mtshare_ros.datasets.image_sets.axes import normals_from_depth
from mtshare_ros.datasets.image_sets.folder_set import (
    Confidence,
    Description,
    TaskFolder,
    write_description,
)
from mtshare_ros.datasets.labelling.frames import choose, thumbnail
from mtshare_ros.datasets.labelling.kind_labels import KIND_LABELS
from mtshare_ros.datasets.labelling.teacher_settings import TeacherError
from mtshare_ros.datasets.labelling.teachers import Labels, Teacher
from mtshare_ros.tasks import KINDS

MILLIMETRE = 0.001
VALIDATION_SHARE = 0.1
"""Part of the chosen frames, the last ones in time, that is kept for validation."""
JPEG_QUALITY = 95
LEAST_NORMALS_CONFIDENCE = 0.5
"""How sure depth has to be for the normals that are taken from it."""

OnFrame = Callable[[int, int], None]
"""Called after each frame with the frames done and the frames in all, of both passes."""


@dataclass(frozen=True)
class Source:
    """What is labelled.

    Attributes:
        bag: The recorded bag.
        topic: Its image topic; None where it has only one.
        focal_length: fx / width; None takes the bag's calibration.
        frames: Frames to choose.
    """

    bag: Path
    topic: str | None = None
    focal_length: float | None = None
    frames: int = 500


def label_bag(
    source: Source,
    teachers: Mapping[str, Path],
    output: Path,
    threads: int = 2,
    on_frame: OnFrame | None = None,
) -> Description:
    """Choose varied frames of a bag, label them and write a data set; it appears when complete.

    Where a teacher gives depth and none gives normals, normals are taken from depth.

    Args:
        source: What to label.
        teachers: Task name -> ONNX file, with a YAML file beside it.
        output: Folder to make.
        threads: CPU threads.
        on_frame: Called after each frame.

    Returns:
        What ``dataset.yaml`` says.

    Raises:
        FileExistsError: ``output`` exists.
        TeacherError: A teacher can't be used, or nothing can be learned from the frames.
        BagError: The bag can't be read, or says nothing of the focal length.
    """
    if output.exists():
        raise FileExistsError(errno.EEXIST, "exists already; expected a new folder", str(output))
    opened = [Teacher(name, model, threads) for name, model in teachers.items()]
    reader = ClipReader(source.bag, image_topic=source.topic)
    focal_length = source.focal_length or reader.focal_length
    if focal_length is None:
        raise BagError(f"bag {source.bag}: no calibration; pass --focal-length, fx / image width")
    chosen = _choose(reader, source.frames, on_frame)
    output.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        names = _label(reader, chosen, opened, work, focal_length, on_frame)
        description = _describe(work, names, opened, focal_length)
        work.chmod(0o755)
        os.replace(work, output)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return description


def _choose(reader: ClipReader, count: int, on_frame: OnFrame | None) -> list[int]:
    """Return the numbers of the frames to label: a first pass over the bag."""
    looks, sharpness = [], []
    for index, frame in enumerate(reader):
        look, sharp = thumbnail(frame.rgb)
        looks.append(look)
        sharpness.append(sharp)
        if on_frame is not None:
            on_frame(index + 1, len(reader) + count)
    chosen = choose(looks, sharpness, count)
    if len(chosen) < 2:
        raise BagError(
            f"bag {reader.path}: {len(chosen)} frames that differ; expected at least 2, one to"
            " train on and one to validate on"
        )
    return chosen


def _label(
    reader: ClipReader,
    chosen: list[int],
    teachers: list[Teacher],
    folder: Path,
    focal_length: float,
    on_frame: OnFrame | None,
) -> list[str]:
    """Write images and labels; return their names: a second pass."""
    wanted, names = set(chosen), []
    from_depth = _normals_from(teachers)
    for index, frame in enumerate(reader):
        if index not in wanted:
            continue
        name = f"{index:06d}"
        path = folder / "images" / f"{name}.jpg"
        path.parent.mkdir(exist_ok=True)
        bgr = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(path), bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        for teacher in teachers:
            labels = teacher(frame.rgb)
            _write(folder, teacher.name, teacher.settings.kind, name, labels)
            if teacher is from_depth:
                pixels_wide = focal_length * frame.rgb.shape[1]
                normals = normals_from_depth(_smooth(labels.values), pixels_wide)
                _write(folder, "normals", "normals", name, Labels(normals, labels.confidence))
        names.append(name)
        if on_frame is not None:
            on_frame(len(reader) + len(names), len(reader) + len(chosen))
    return names


def _normals_from(teachers: list[Teacher]) -> Teacher | None:
    """Return the teacher whose depth gives the normals, if none gives normals itself."""
    if any(t.settings.kind == "normals" or t.name == "normals" for t in teachers):
        return None
    return next((t for t in teachers if KINDS[t.settings.kind].in_metres), None)


def _smooth(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return depth without the steps of its pixels, which would be slopes in the normals."""
    valid = np.isfinite(depth).astype(np.float32)
    summed = cv2.blur(np.nan_to_num(depth), (5, 5))
    weight = cv2.blur(valid, (5, 5))
    return np.where(weight > 0.99, summed / np.maximum(weight, 1e-6), np.float32(np.nan))


def _write(folder: Path, task: str, kind: str, name: str, labels: Labels) -> None:
    """Write the labels of one task and their confidence as PNG."""
    values = KIND_LABELS[kind].stored(labels.values)
    confidence = np.rint(255 * labels.confidence).astype(np.uint8)
    for place, array in ((task, values), (f"confidence/{task}", confidence)):
        path = folder / place / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pixels.png(array).tobytes())


def _describe(
    folder: Path, names: list[str], teachers: list[Teacher], focal_length: float
) -> Description:
    """Write the splits and ``dataset.yaml``."""
    kept = max(1, round(VALIDATION_SHARE * len(names)))
    (folder / "train.txt").write_text("\n".join(names[:-kept]) + "\n")
    (folder / "val.txt").write_text("\n".join(names[-kept:]) + "\n")
    tasks: dict[str, TaskFolder] = {}
    for teacher in teachers:
        said = teacher.settings
        sure = Confidence(folder=f"confidence/{teacher.name}", least=said.least_confidence)
        tasks[teacher.name] = TaskFolder(
            kind=said.kind,
            folder=teacher.name,
            classes=tuple(said.classes),
            metres=MILLIMETRE if KINDS[said.kind].in_metres else 1.0,
            range=said.output.range,
            confidence=sure,
        )
    if _normals_from(teachers) is not None:
        sure = Confidence(folder="confidence/normals", least=LEAST_NORMALS_CONFIDENCE)
        tasks["normals"] = TaskFolder(kind="normals", folder="normals", confidence=sure)
    description = Description(focal_length=focal_length, tasks=tasks)
    write_description(folder, description)
    return description


def parse_teachers(texts: list[str]) -> dict[str, Path]:
    """Return task -> file of texts such as ``depth=X.onnx``.

    Raises:
        TeacherError: A text is not TASK=FILE, or a task is there twice.
    """
    teachers: dict[str, Path] = {}
    for text in texts:
        name, equals, model = text.partition("=")
        if not (equals and model and name.isidentifier() and name.islower()):
            raise TeacherError(f"--teacher {text!r}: expected TASK=FILE, as depth=X.onnx")
        if name in teachers:
            raise TeacherError(f"--teacher {text!r}: {name} has {teachers[name]} already")
        teachers[name] = Path(model)
    return teachers
