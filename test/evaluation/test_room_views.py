"""Views of rooms as frames to score, by texture pool."""

from pathlib import Path

import numpy as np
import pytest

from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation import room_views
from mtshare_ros.evaluation.outcome import Outcome
from mtshare_ros.evaluation.room_views import RoomFrames, Stills
from mtshare_ros.evaluation.scores import Scores
from mtshare_ros.tasks import ROOM_CLASSES, TASKS
from support.report_files import ALL_TASKS, manifest

CLASSES = [item.name for item in ROOM_CLASSES]
VIEWS = {"train": 2, "test": 1, "empty": 0}
"""Folder -> views."""


class Rooms:
    """A folder of views without files; the name of the folder is the split of its seeds."""

    def __init__(self, root):
        """Take the name."""
        self.name = root.name
        self.meta = {"classes": CLASSES, "fx": 8.0, "size": [10, 4], "textures": "auto"}

    def __len__(self):
        """Return the number of views."""
        return VIEWS[self.name]

    def __getitem__(self, index):
        """Return a view."""
        seed = {"train": 5, "test": 200_000}[self.name]
        return {
            "rgb": np.full((4, 10, 3), index, np.uint8),
            "depth": np.full((4, 10), 1 + index, np.float32),
            "labels": np.zeros((4, 10), np.uint8),
            "normals": np.tile(np.array([0, 0, -1], np.float32), (4, 10, 1)),
            "seeds": np.int64(seed),
        }


@pytest.fixture
def stills(monkeypatch):
    monkeypatch.setattr(room_views, "StillsDataset", Rooms)
    return Stills([Path("train"), Path("test")])


def test_views_stand_alone_and_have_their_truth_and_their_pool(stills):
    frames = RoomFrames(stills, manifest())
    assert (frames.title, len(frames), frames.tasks) == ("train, test", 3, ALL_TASKS)
    found = list(frames)
    assert [(f.stamp, f.pool, f.label) for f in found] == [
        (0, "A", "textures A"),
        (1, "A", "textures A"),
        (2, "mix", "textures mix"),
    ]
    for frame in found:
        assert not frame.follows and frame.focal_length == 0.8
        assert set(frame.truths) == {"depth", "segmentation", "normals"}


def test_each_pool_is_scored_by_itself(stills):
    frames = RoomFrames(stills, manifest())
    for frame in frames:
        factor = np.float32(2 if frame.pool == "mix" else 1)
        maps = {**frame.truths, "depth": frame.truths["depth"] * factor}
        frames.update(frame, Outcome(frame.image, maps, frame.truths))
    pools = frames.result(Scores(ALL_TASKS))["pools"]
    assert {name: pool["frames"] for name, pool in pools.items()} == {"A": 2, "mix": 1}
    assert pools["A"]["tasks"]["depth"]["abs_rel"] == 0.0
    assert pools["mix"]["tasks"]["depth"]["abs_rel"] == pytest.approx(1.0)


def test_an_empty_folder_and_other_classes_are_refused(stills, monkeypatch):
    with pytest.raises(OptionError, match="empty: no view in it; expected rendered rooms"):
        Stills([Path("empty")])
    stills.check_classes(list(TASKS.values()))
    for part in stills.sets:
        monkeypatch.setitem(part.meta, "classes", ["sky"])
    with pytest.raises(OptionError, match="train: classes sky; the bundle has floor, wall"):
        RoomFrames(stills, manifest())
    stills.check_classes([TASKS["depth"]])


def test_textures_that_were_asked_for_are_the_pool_and_stamps_go_on(monkeypatch):
    class Mixed(Rooms):
        """Rooms that were rendered with textures of one pool, whatever their seeds."""

        def __init__(self, root):
            super().__init__(root)
            self.meta["textures"] = {"train": "B", "test": "A"}[self.name]

    monkeypatch.setattr(room_views, "StillsDataset", Mixed)
    frames = RoomFrames(Stills([Path("train"), Path("test")]), manifest())
    found = list(frames)
    assert [(f.stamp, f.pool) for f in found] == [(0, "B"), (1, "B"), (2, "A")]
    frames_again = RoomFrames(Stills([Path("train"), Path("test"), Path("train")]), manifest())
    assert [f.stamp for f in frames_again] == [0, 1, 2, 3, 4]
    for frame in found:
        frames.update(frame, Outcome(frame.image, {}, frame.truths))
    pools = frames.result(Scores(ALL_TASKS))["pools"]
    assert [(name, pool["frames"]) for name, pool in pools.items()] == [("A", 1), ("B", 2)]


def test_saliency_follows_from_the_labels_and_needs_their_classes(stills, monkeypatch):
    monkeypatch.setitem(stills.sets[1].meta, "classes", ["sky"])
    with pytest.raises(OptionError, match="test: classes sky; the bundle has floor, wall"):
        stills.check_classes([TASKS["saliency"]])
