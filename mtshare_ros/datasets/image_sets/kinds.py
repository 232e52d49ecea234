"""Kinds of data sets by name; an error about a folder says what else it looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mtshare_ros.datasets.image_sets.folder_set import DESCRIPTION, open_folder
from mtshare_ros.datasets.image_sets.image_set import DatasetError, ImageSet
from mtshare_ros.datasets.image_sets.nyud import open_nyud
from mtshare_ros.datasets.image_sets.pascal_context import open_pascal_context
from mtshare_ros.datasets.image_sets.vocabularies import NYUD_TASKS, PASCAL_TASKS
from mtshare_ros.tasks import TASKS, Task

OPENERS: dict[str, Callable[[Path, str, str | None], ImageSet]] = {
    "nyud": open_nyud,
    "pascal_context": open_pascal_context,
    "folder": open_folder,
}
"""Kind of data set -> what opens a split of it."""

_MARKS = {
    "nyud": ("gt_sets", "images"),
    "pascal_context": ("JPEGImages", "ImageSets/Context"),
    "folder": (DESCRIPTION,),
    "rooms": ("meta.json",),
}
"""Kind -> what its root has."""

_TITLES = {
    "nyud": "NYUD-v2 (NYUD_MT or NYUDv2)",
    "pascal_context": "PASCAL-Context (PASCAL_MT or PASCALContext)",
    "folder": f"a folder with {DESCRIPTION}",
    "rooms": "rendered rooms",
}


def tasks_of(kind: str) -> Mapping[str, Task] | None:
    """Return the tasks of a kind of data set; None where each set has its own."""
    return {"rooms": TASKS, "nyud": NYUD_TASKS, "pascal_context": PASCAL_TASKS}.get(kind)


def recognise(root: Path) -> str | None:
    """Return the kind of data set that a folder looks like, if any."""
    for kind, marks in _MARKS.items():
        if all((root / mark).exists() for mark in marks):
            return kind
    return None


def open_images(kind: str, root: Path, split: str, normal_axes: str | None = None) -> ImageSet:
    """Open a split of a data set.

    Args:
        kind: One of ``OPENERS``.
        root: Its folder.
        split: ``train`` or ``val``; the kind ``folder`` may have others.
        normal_axes: Axes of the stored normals; each kind has its own default.

    Raises:
        DatasetError: The folder is not of this kind, or a file can't be read.
    """
    missing = [mark for mark in _MARKS[kind] if not (root / mark).exists()]
    if missing:
        raise DatasetError(f"{root}: no {missing[0]}; expected {_TITLES[kind]}{_hint(root, kind)}")
    return OPENERS[kind](root, split, normal_axes)


def _hint(root: Path, kind: str) -> str:
    recognised = recognise(root)
    if recognised is not None:
        return f". This looks like {_TITLES[recognised]}: pass {recognised}"
    inside = [path for path in root.glob("[!.]*") if path.is_dir()]
    for path in sorted(inside):
        inner = recognise(path)
        if inner is not None:
            return f". {path} looks like {_TITLES[inner]}: pass {inner} and that folder"
    return "" if root.exists() else f"; {root} does not exist"
