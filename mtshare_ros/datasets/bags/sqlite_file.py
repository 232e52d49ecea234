"""SQLite files of recorded messages (``.db3``)."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from mtshare_ros.datasets.bags.recorded_file import Losses, Message, StorageError, Topic
from mtshare_ros.errors import reason_of

MAGIC = b"SQLite format 3\x00"
_CDR = "cdr"

Names = dict[int, tuple[str, str]]
"""Number of a topic -> its name and its type."""


class SqliteFile:
    """A SQLite file as a ``Storage``."""

    def __init__(self, path: Path) -> None:
        """Open a file.

        Raises:
            StorageError: It has no topics that can be read.
        """
        self.losses = Losses()
        with ExitStack() as stack:
            source = _with_whole_pages(path, stack)
            try:
                self._database, self._names, self._whole = _opened(source)
            except sqlite3.Error as error:
                raise StorageError(reason_of(error)) from error
            stack.callback(self._database.close)
            self._closing = stack.pop_all()
        self._whole &= source == path
        if not self._whole:
            self.losses.note("is cut off")
        counts: Counter[int] = Counter()
        self.start: int | None = None
        try:
            for number, time in self._database.execute("SELECT topic_id, timestamp FROM messages"):
                counts[number] += 1
                if self.start is None or _time(time) < self.start:
                    self.start = _time(time)
        except sqlite3.Error as error:
            self._lose(error)
        sums: dict[tuple[str, str], int] = {}
        for number, key in self._names.items():
            sums[key] = sums.get(key, 0) + counts[number]
        self.topics = tuple(Topic(*key, count) for key, count in sums.items())

    def messages(self, names: Collection[str], types: Collection[str]) -> Iterator[Message]:
        """See ``Storage``."""
        wanted = [
            i for i, (name, type_) in self._names.items() if name in names and type_ in types
        ]
        marks = ", ".join("?" * len(wanted))
        # Of a damaged file the index is no help: the table is read as far as it goes.
        order = "timestamp" if self._whole else "id"
        query = (
            "SELECT topic_id, timestamp, data FROM messages"
            f" WHERE topic_id IN ({marks}) ORDER BY {order}"
        )
        try:
            with closing(self._database.cursor()) as cursor:
                for number, time, data in cursor.execute(query, wanted):
                    content = data if isinstance(data, bytes) else b""
                    yield Message(*self._names[number], _time(time), content)
        except sqlite3.Error as error:
            self._lose(error)

    def close(self) -> None:
        """See ``Storage``."""
        self._closing.close()

    def _lose(self, error: sqlite3.Error) -> None:
        if self._whole:
            self.losses.note(f"can't be read to its end ({reason_of(error)})")
        self._whole = False


def _with_whole_pages(path: Path, stack: ExitStack) -> Path:
    """Return a file that ends with a whole page: this one, or a copy without what is torn.

    ``stack`` removes the copy.

    SQLite takes zeros for what a page lacks: a message in it would look whole.
    """
    with path.open("rb") as file:
        # The largest page, 65536, does not fit into two bytes: 1 stands for it.
        page = int.from_bytes(file.read(18)[16:18], "big")
        page = 1 << 16 if page == 1 else page
        torn = path.stat().st_size % page if page else 0
        if not torn:
            return path
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mtshare-bag-"))
        copy = Path(folder) / "whole.db3"
        with copy.open("wb") as whole:
            file.seek(0)
            shutil.copyfileobj(file, whole)
            whole.truncate(path.stat().st_size - torn)
    return copy


def _opened(path: Path) -> tuple[sqlite3.Connection, Names, bool]:
    """Return the database, the name and the type of each topic, and whether it looks whole."""
    # What was not yet written into the file itself lies beside it and is read as well, unless
    # the folder can't be written, which SQLite needs for that.
    try:
        return *_topics_of(path, "mode=ro"), True
    except sqlite3.Error:
        pass
    try:
        return *_topics_of(path, "immutable=1"), True
    except sqlite3.Error:
        # With this, a file is opened that has fewer pages than it says.
        return *_topics_of(path, "immutable=1", "PRAGMA writable_schema=ON"), False


def _topics_of(path: Path, how: str, setting: str = "") -> tuple[sqlite3.Connection, Names]:
    database = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)
    try:
        database.execute(setting)
        rows = database.execute("SELECT id, name, type, serialization_format FROM topics")
        named = {i: (str(name), str(type_), encoding) for i, name, type_, encoding in rows}
    except BaseException:
        database.close()
        raise
    return database, {
        i: (name.lstrip("/"), type_ if encoding == _CDR else f"{type_} as {encoding}")
        for i, (name, type_, encoding) in named.items()
    }


def _time(value: object) -> int:
    return value if isinstance(value, int) else 0
