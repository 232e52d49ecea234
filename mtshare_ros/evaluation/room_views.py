"""Single views of simulated rooms as frames that can be scored like those of a clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.seeds import textures_of
from mtshare_ros.datasets.stills import StillsDataset
from mtshare_ros.errors import OptionError
from mtshare_ros.tasks import KINDS, Task


@dataclass(frozen=True)
class Still:
    """One view: the fields of a clip's frame, and what its textures were drawn from.

    Attributes:
        stamp: Number of the view; a still has no time.
        rgb: (H, W, 3) uint8.
        depth: (H, W) float32 metres, NaN invalid.
        labels: (H, W) uint8, 255 unlabelled.
        normals: (H, W, 3) float32 unit vectors, zero invalid.
        focal_length: fx / image width.
        pool: Texture pool: ``A``, ``B`` or ``mix``.
    """

    stamp: int
    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32]
    labels: NDArray[np.uint8]
    normals: NDArray[np.float32]
    focal_length: float
    pool: str


class Stills:
    """The views in one or more folders that the stills renderer wrote."""

    def __init__(self, roots: Sequence[Path]) -> None:
        """Open the folders.

        Raises:
            FileNotFoundError: A folder is none of stills.
            StillsError: A folder holds none that this version reads.
            OptionError: A folder holds no view.
        """
        self.roots = roots
        self.sets = [StillsDataset(root) for root in roots]
        for root, part in zip(roots, self.sets, strict=True):
            if not len(part):
                raise OptionError(f"{root}: no view in it; expected rendered rooms")

    def check_classes(self, tasks: Sequence[Task]) -> None:
        """Refuse views whose labels mean something else than those of the tasks.

        Raises:
            OptionError: The classes of a folder are not the segmentation's.
        """
        for task in tasks:
            classes = task.classes or KINDS[task.kind].truth_classes
            expected = [item.name for item in classes]
            for root, part in zip(self.roots, self.sets, strict=True):
                found = part.meta["classes"]
                if expected and found != expected:
                    raise OptionError(
                        f"{root}: classes {', '.join(found)}; the bundle has {', '.join(expected)}"
                    )

    def __len__(self) -> int:
        """Return the number of views."""
        return sum(len(part) for part in self.sets)

    def __iter__(self) -> Iterator[Still]:
        """Yield the views, folder by folder."""
        stamp = 0
        for part in self.sets:
            focal_length = float(part.meta["fx"]) / float(part.meta["size"][0])
            for index in range(len(part)):
                yield _still(stamp, part[index], focal_length, part.meta["textures"])
                stamp += 1


def _still(stamp: int, view: dict[str, Any], focal_length: float, textures: str) -> Still:
    pool = textures_of(int(view["seeds"]), textures)
    maps = {key: view[key] for key in ("rgb", "depth", "labels", "normals")}
    return Still(stamp=stamp, focal_length=focal_length, pool=pool, **maps)
