"""A bag that is open for reading: the one way into recorded bags."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml
import zstandard

from mtshare_ros.datasets.bags import mcap_file, ros1_bag, sqlite_file, topics
from mtshare_ros.datasets.bags.mcap_file import McapFile
from mtshare_ros.datasets.bags.messages import MessageError, content_of
from mtshare_ros.datasets.bags.recorded_file import Message, Storage, StorageError, Topic
from mtshare_ros.datasets.bags.ros1_bag import Ros1Bag
from mtshare_ros.datasets.bags.sqlite_file import SqliteFile
from mtshare_ros.errors import UserError, reason_of

METADATA = "metadata.yaml"
_STORAGES: dict[bytes, Callable[[Path], Storage]] = {
    mcap_file.MAGIC: McapFile,
    sqlite_file.MAGIC: SqliteFile,
    ros1_bag.MAGIC: Ros1Bag,
}
"""First bytes of a file -> what reads it; names are not relied on."""
_ZSTD = b"\x28\xb5\x2f\xfd"
"""First bytes of what is compressed: a whole file, or a message."""
_SUFFIXES = (".mcap", ".db3", ".zstd")
_SPLIT = re.compile(r"(.*?)_?(\d+)$")
"""Name of a file of a recording that was split, and the file's number."""


class BagError(UserError):
    """A bag can't be read or used; the message names the bag, and a topic that is at fault."""


class IncompleteBagError(BagError):
    """A part of a bag was lost; all the rest was read before this is raised."""


class OpenBag:
    """A bag that is open for reading; a context manager that closes it.

    What can be read of a damaged bag is read; ``losses`` says what can't.

    Attributes:
        path: The bag.
        topics: Its topics; a name is there once for each type.
    """

    def __init__(self, path: Path) -> None:
        """Open a single file, or a folder as ``ros2 bag record`` makes it.

        Args:
            path: A file of MCAP, SQLite or ROS 1, or a folder of MCAP or SQLite. The files of a
                folder without ``metadata.yaml`` are read in the order of their numbers.

        Raises:
            BagError: There is no bag, or nothing of it can be read.
        """
        self.path = Path(path)
        self._missing: list[str] = []
        self._storages: list[tuple[str, Storage]] = []
        if not self.path.exists():
            raise self.error("not found")
        with ExitStack() as stack:
            self._stack = stack
            for file in self._files() if self.path.is_dir() else [self.path]:
                self._open(file)
            if not self._storages:
                raise self._unreadable(StorageError("; ".join(self._missing)))
            self._closing = stack.pop_all()
        sums: dict[tuple[str, str], int] = {}
        for _, storage in self._storages:
            for topic in storage.topics:
                key = (topic.name, topic.type)
                sums[key] = sums.get(key, 0) + topic.count
        self.topics = tuple(Topic(*key, count) for key, count in sums.items())

    def __enter__(self) -> OpenBag:
        """Return this."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the bag."""
        self._closing.close()

    @property
    def start(self) -> int:
        """Time of the first message, in nanoseconds; 0 if there is none."""
        starts = [s.start for _, s in self._storages if s.start is not None]
        return min(starts, default=0)

    @property
    def losses(self) -> str:
        """What can't be read, complete when all messages were asked for; empty if nothing."""
        single = not self.path.is_dir()
        texts = [
            text if single else f"{name} {text}"
            for name, storage in self._storages
            for text in storage.losses
        ]
        return "; ".join([*self._missing, *texts])

    def count(self, topic: str, types: Collection[str]) -> int:
        """Return how many messages of these types a topic has."""
        return sum(t.count for t in self.topics if t.name == topic and t.type in types)

    def find_images(self, base: str) -> str | None:
        """Return the topic with images: ``base``, else ``base`` compressed, else None."""
        names = (base, base + topics.COMPRESSED)
        return next((name for name in names if self.count(name, topics.IMAGE_TYPES)), None)

    def messages(self, names: Collection[str], types: Collection[str]) -> Iterator[Message]:
        """Yield the messages on some topics, of some types, in the order of their recording."""
        for _, storage in self._storages:
            found = storage.messages(names, types)
            while True:
                with self._readable():
                    message = next(found, None)
                if message is None:
                    break
                yield _unpacked(message) if message.data.startswith(_ZSTD) else message

    def decoded(self, message: Message) -> Any:
        """Return the content of a message.

        Raises:
            BagError: The message can't be read.
        """
        try:
            return content_of(message)
        except MessageError as error:
            raise self.error(f"/{message.topic} at {message.time}: {error}") from error

    def error(self, text: str) -> BagError:
        """Return an error that names the bag."""
        return BagError(f"bag {self.path}: {text}")

    def lacks(self, expected: str) -> BagError:
        """Return the error that something is missing, which lists what there is instead."""
        present = (f"{t.name} ({t.count} {t.type.rpartition('/')[2]})" for t in self.topics)
        return self.error(f"no {expected}; it has {', '.join(sorted(present)) or 'no topics'}")

    def check_whole(self) -> None:
        """Raise IncompleteBagError if a part was lost; to be called after all messages."""
        if self.losses:
            raise IncompleteBagError(f"bag {self.path}: {self.losses}")

    def _files(self) -> list[Path]:
        """Return the files of a folder that belong to its recording, in their order."""
        listed = _listed(self.path / METADATA)
        if listed is None:
            found = [
                path
                for path in self.path.iterdir()
                if path.suffix.lower() in _SUFFIXES and path.name[0] != "." and path.is_file()
            ]
            names = sorted({_place(path)[0] for path in found})
            if not found:
                raise self.error(f"no .mcap or .db3 and no {METADATA} in it; expected a ROS 2 bag")
            if len(names) > 1:
                raise self.error(
                    f"no {METADATA}, and files of {len(names)} recordings; name one of"
                    f" {', '.join(sorted(path.name for path in found))}"
                )
            return sorted(found, key=_place)
        self._missing += [f"{path.name} is missing" for path in listed if not path.exists()]
        files = [path for path in listed if path.exists()]
        if not files:
            raise self.error("; ".join(self._missing) or f"{METADATA} names no file")
        return files

    def _open(self, path: Path) -> None:
        name = path.name
        try:
            with self._readable(), path.open("rb") as file:
                head = file.read(16)
            if head.startswith(_ZSTD):
                path = self._decompressed(path)
                with path.open("rb") as file:
                    head = file.read(16)
            opener = next((o for magic, o in _STORAGES.items() if head.startswith(magic)), None)
            if opener is None:
                raise StorageError("it is empty" if not head else "its first bytes are no bag's")
            with self._readable():
                storage = opener(path)
        except StorageError as error:
            if not self.path.is_dir():
                raise self._unreadable(error) from error
            self._missing.append(f"{name} can't be read ({error})")
            return
        self._stack.callback(storage.close)
        self._storages.append((name, storage))

    def _decompressed(self, path: Path) -> Path:
        """Return a temporary copy of a compressed file."""
        folder = Path(tempfile.mkdtemp(prefix="mtshare-bag-"))
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        with path.open("rb") as packed, (folder / "bag").open("wb") as plain:
            try:
                zstandard.ZstdDecompressor().copy_stream(packed, plain)
            except zstandard.ZstdError as error:
                self._missing.append(f"{path.name} can't be unpacked ({reason_of(error)})")
        return folder / "bag"

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Name the bag in the error of a disk that can't be read, which names no file."""
        try:
            yield
        except OSError as error:
            if error.filename is not None:
                raise
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> BagError:
        return self.error(f"can't be read ({reason_of(error)}); expected a ROS 2 bag")


def _listed(path: Path) -> list[Path] | None:
    """Return the files that a ``metadata.yaml`` names; None if it can't be read."""
    try:
        names = yaml.safe_load(path.read_bytes())["rosbag2_bagfile_information"][
            "relative_file_paths"
        ]
        return [path.parent / Path(name).name for name in names]
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        # It is written last: a recording that was cut off has none, or a part of it.
        return None


def _place(path: Path) -> tuple[str, int]:
    """Return the name of a file's recording, and the file's number in it."""
    stem = path.name
    while stem.lower().endswith(_SUFFIXES):
        stem = stem.rpartition(".")[0]
    split = _SPLIT.match(stem)
    return (split[1], int(split[2])) if split else (stem, 0)


def _unpacked(message: Message) -> Message:
    """Return a message that was compressed by itself, as it was before; empty if damaged."""
    try:
        data = zstandard.ZstdDecompressor().decompress(message.data)
    except zstandard.ZstdError:
        data = b""
    return Message(message.topic, message.type, message.time, data)
