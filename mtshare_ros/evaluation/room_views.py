"""Single views of simulated rooms as frames that can be scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.datasets.bags.reader import Frame
from mtshare_ros.datasets.seeds import textures_of
from mtshare_ros.datasets.stills import StillsDataset
from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation.accuracy import Accuracy
from mtshare_ros.evaluation.frames import InputFrame
from mtshare_ros.evaluation.outcome import Outcome, truths_of
from mtshare_ros.evaluation.scores import Scores
from mtshare_ros.metrics.boundary_matching import MAX_DISTANCE
from mtshare_ros.tasks import KINDS, Task


class Stills:
    """The views in one or more folders that the stills renderer wrote."""

    def __init__(self, roots: Sequence[Path]) -> None:
        """Open the folders.

        Raises:
            FileNotFoundError: A folder has no stills.
            StillsError: A folder has none that this version reads.
            OptionError: A folder has no view.
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
                names = part.meta["classes"]
                if expected and names != expected:
                    raise OptionError(
                        f"{root}: classes {', '.join(names)}; the bundle has {', '.join(expected)}"
                    )

    def __len__(self) -> int:
        """Return the number of views."""
        return sum(len(part) for part in self.sets)


@dataclass
class _Pool:
    """The accuracy on the views whose textures come from one pool, and how many they are."""

    accuracy: Accuracy
    frames: int = 0


class RoomFrames:
    """Views of rooms as ``Frames``; each texture pool is scored by itself besides."""

    max_distance = MAX_DISTANCE

    def __init__(self, stills: Stills, manifest: Manifest) -> None:
        """Take the views for a bundle.

        Raises:
            OptionError: The views have other classes than the bundle's tasks.
        """
        self.title = ", ".join(str(root) for root in stills.roots)
        self.tasks = manifest.tasks
        stills.check_classes(self.tasks)
        self._stills = stills
        self._pools: dict[str, _Pool] = {}

    def __len__(self) -> int:
        """See ``Frames``."""
        return len(self._stills)

    def __iter__(self) -> Iterator[InputFrame]:
        """Yield the views, folder by folder; a view's stamp is its number."""
        stamp = 0
        for part in self._stills.sets:
            focal_length = float(part.meta["fx"]) / float(part.meta["size"][0])
            for index in range(len(part)):
                view = part[index]
                pool = textures_of(int(view["seeds"]), part.meta["textures"])
                shown = Frame(stamp, view["rgb"], view["depth"], view["labels"], view["normals"])
                truths = truths_of(shown, self.tasks)
                label = f"textures {pool}"
                yield InputFrame(shown.rgb, stamp, truths, focal_length, label, pool=pool)
                stamp += 1

    def update(self, frame: InputFrame, outcome: Outcome) -> None:
        """Add a view to the scores of its texture pool."""
        pool = self._pools.setdefault(frame.pool, _Pool(Accuracy(self.tasks)))
        pool.accuracy.update(outcome.predictions, outcome.truths)
        pool.frames += 1

    def result(self, scores: Scores) -> dict[str, Any]:
        """Return ``pools``: name -> ``frames`` and ``tasks``."""
        pools = {
            name: {"frames": pool.frames, "tasks": pool.accuracy.result()}
            for name, pool in sorted(self._pools.items())
        }
        return {"pools": pools}
