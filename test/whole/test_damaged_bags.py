"""Whatever is done to a bag: a command ends with 0, 1 or 2, and with 0 no frame is another one."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.writer import IndexType
from rosbags.rosbag2 import StoragePlugin

from mtshare_ros import cli
from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.open_bag import IncompleteBagError
from mtshare_ros.datasets.bags.reader import ClipReader, Frame
from mtshare_ros.errors import UserError
from mtshare_ros.evaluation.recorded import RecordedPredictions
from mtshare_ros.replay.bag_source import BagSource
from mtshare_ros.tasks import TASKS
from support.bag_files import STEP, camera, clip_frame, image, jpeg, put, put_mcap, put_ros1
from support.teacher_files import depth_teacher

FRAMES = 6
EACH = 6
"""Mutations of each kind of bag in an ordinary run."""


def messages(compressed: bool = False) -> list[Any]:
    made = []
    for index, message in enumerate(camera(frames=FRAMES)):
        stamp = index // 2 * STEP
        if message[1] == topics.INFO_TYPE:
            labels = image(clip_frame(index // 2).labels, "mono8", stamp)
            made += [message, ("/ground_truth/labels", topics.RAW_TYPE, labels)]
        elif compressed:
            packed = jpeg(stamp, index=index // 2)
            made.append(("/camera/image/compressed", topics.COMPRESSED_TYPE, packed))
        else:
            made.append(message)
    return made


def sqlite(path: Path) -> None:
    folder = path.with_name(f"{path.name}.folder")
    put(folder, messages(), StoragePlugin.SQLITE3)
    next(folder.glob("*.db3")).rename(path)


KINDS: dict[str, Callable[[Path], Any]] = {
    "chunks.mcap": lambda path: put_mcap(path, messages(), chunk_size=9000),
    "plain.mcap": lambda path: put_mcap(path, messages(), use_chunking=False),
    "jpeg.mcap": lambda path: put_mcap(path, messages(True), index_types=IndexType.NONE),
    "sqlite.db3": sqlite,
    "ros1.bag": lambda path: put_ros1(path, messages()),
}


@pytest.fixture(scope="module", params=KINDS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / request.param
    KINDS[request.param](path)
    assert len(frames_of(path)) == FRAMES
    return path


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return depth_teacher(tmp_path_factory.mktemp("teacher"))


@dataclass(frozen=True)
class Mutation:
    """A bag that was changed, and how many of its frames may be others for it."""

    data: bytes
    frames: int


def mutated(rng: random.Random, data: bytes) -> Mutation:
    changed = bytearray(data)
    place, length = rng.randrange(len(data)), rng.choice((1, 2, 8, 64))
    match rng.randrange(6):
        case 0:
            return Mutation(data[:place], 0)
        case 1:
            changed[place] ^= 1 << rng.randrange(8)
        case 2:
            changed[place : place + length] = b"\xff" * len(changed[place : place + length])
        case 3:
            changed[place : place + length] = rng.randbytes(len(changed[place : place + length]))
        case 4:
            other = rng.randrange(len(data) - length)
            place = min(place, len(data) - length)
            one, two = slice(place, place + length), slice(other, other + length)
            changed[one], changed[two] = data[two], data[one]
            return Mutation(bytes(changed), 4)
        case _:
            del changed[place : place + length]
    return Mutation(bytes(changed), 2)


def frames_of(path: Path) -> list[Frame]:
    """Return the frames that can be read of a bag."""
    frames: list[Frame] = []
    try:
        for frame in ClipReader(path):
            frames.append(frame)
    except IncompleteBagError:
        pass
    return frames


def same(frame: Frame, other: Frame) -> bool:
    return np.array_equal(frame.rgb, other.rgb) and (
        frame.labels is None or np.array_equal(frame.labels, np.asarray(other.labels))
    )


def try_everything(
    path: Path, teacher: Path, expected: list[Frame], others: int, capsys: Any
) -> None:
    """Read a bag in every way; nothing but errors of users, and no frame that is another one."""
    try:
        originals = {frame.stamp: frame for frame in expected}
        found = frames_of(path)
        known = [frame for frame in found if frame.stamp in originals]
        changed = [frame for frame in known if not same(frame, originals[frame.stamp])]
        assert len(changed) + len(found) - len(known) <= others
    except UserError as error:
        assert path.name in str(error) and "\n" not in str(error)
    for read in (
        lambda: list(BagSource(path).messages()),
        lambda: list(RecordedPredictions(path, [TASKS["depth"]])),
    ):
        try:
            read()
        except UserError as error:
            assert path.name in str(error)
    output = path.with_name("set")
    command = ["label", "--bag", path, "--teacher", f"depth={teacher}", "--output", output]
    status = cli.run([str(word) for word in (*command, "--focal-length", "0.8")])
    err = capsys.readouterr().err
    assert status == 0 or (status in (1, 2) and err.count("\n") == 1 and path.name in err), err


def fuzz(whole: Path, folder: Path, teacher: Path, capsys: Any, count: int, seed: int) -> None:
    data, expected = whole.read_bytes(), frames_of(whole)
    for number in range(count):
        rng = random.Random(1000 * seed + number)
        mutation = mutated(rng, data)
        path = folder / f"{number}" / whole.name
        path.parent.mkdir()
        path.write_bytes(mutation.data)
        try_everything(path, teacher, expected, mutation.frames, capsys)


def test_a_bag_that_was_changed_is_read_or_refused(
    whole: Path, tmp_path: Path, teacher: Path, capsys: Any
) -> None:
    fuzz(whole, tmp_path, teacher, capsys, EACH, seed=1)


@pytest.mark.slow
def test_many_bags_that_were_changed_are_read_or_refused(
    whole: Path, tmp_path: Path, teacher: Path, capsys: Any
) -> None:
    fuzz(whole, tmp_path, teacher, capsys, 500 // len(KINDS), seed=3)


@pytest.mark.parametrize("name", ["bag.mcap", "bag.db3", "bag.bag", "bag.zstd", "bag"])
@pytest.mark.parametrize("content", [b"", b"\0" * 300, b"\x28\xb5\x2f\xfd", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_bag_is_refused_whatever_its_name(
    tmp_path: Path, teacher: Path, capsys: Any, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    try_everything(path, teacher, [], 0, capsys)


def test_folders_of_anything_are_refused(tmp_path: Path, teacher: Path, capsys: Any) -> None:
    for number, content in enumerate((None, "", "a: [", "rosbag2_bagfile_information: 3")):
        path = tmp_path / f"folder{number}.mcap"
        path.mkdir()
        (path / "a.mcap").mkdir()
        (path / "b_0.db3").write_bytes(b"junk")
        if content is not None:
            (path / "metadata.yaml").write_text(content)
        try_everything(path, teacher, [], 0, capsys)
