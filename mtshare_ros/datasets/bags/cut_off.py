"""MCAP files whose end is missing, as after a loss of power, and what can be read of them."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO, cast

MAGIC = b"\x89MCAP0\r\n"
_FOOTER = b"\x02" + struct.pack("<QQQI", 20, 0, 0, 0) + MAGIC
"""Footer record and magic of a file without an index: readers then go through the records."""

_HEADER = struct.Struct("<BQ")
"""Header of a record: its kind, and how many bytes follow."""
_MESSAGE, _CHUNK, _LAST_KIND, _DATA_END, _PRIVATE = 0x05, 0x06, 0x0E, 0x0F, 0x80


def is_cut_off(path: Path) -> bool:
    """Return whether a file begins like MCAP, has messages, and does not end like MCAP."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return False
        file.seek(-min(len(MAGIC), path.stat().st_size), os.SEEK_END)
        return file.read() != MAGIC and _whole_part(path)[1]


def _whole_part(path: Path) -> tuple[int, bool]:
    """Return where the last whole record ends, and whether there are messages before."""
    size = path.stat().st_size
    end, messages = len(MAGIC), False
    with path.open("rb") as file:
        while True:
            file.seek(end)
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                return end, messages
            kind, length = _HEADER.unpack(header)
            is_record = 0 < kind <= _LAST_KIND or kind >= _PRIVATE
            if not is_record or end + _HEADER.size + length > size:
                return end, messages
            end += _HEADER.size + length
            messages |= kind in (_MESSAGE, _CHUNK)


class WholeRecords:
    """The path of a file that was cut off, for `rosbags`; opened, it ends with a footer.

    Nothing is copied: reading gives the file up to its last whole record, then the footer.
    """

    def __init__(self, path: Path) -> None:
        """Find where the whole records end."""
        self._path = path
        self._end, _ = _whole_part(path)
        self.suffix, self.stem, self.name = path.suffix, path.stem, path.name

    def __str__(self) -> str:
        """Return the path."""
        return str(self._path)

    def exists(self) -> bool:
        """See ``Path``."""
        return self._path.exists()

    def is_dir(self) -> bool:
        """See ``Path``."""
        return False

    def open(self, *_: Any) -> BinaryIO:
        """Open the whole part for reading."""
        raw = _Ended(self._path.open("rb", buffering=0), self._end)
        return cast(BinaryIO, io.BufferedReader(raw))


class _Ended(io.RawIOBase):
    """The first ``end`` bytes of a file, then ``_FOOTER``."""

    def __init__(self, file: io.FileIO, end: int) -> None:
        self._file = file
        self._end = end
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {
            os.SEEK_SET: 0,
            os.SEEK_CUR: self._place,
            os.SEEK_END: self._end + len(_FOOTER),
        }[whence]
        self._place = max(0, start + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        left = self._end - self._place
        if left > 0:
            self._file.seek(self._place)
            count = self._file.readinto(view[:left]) or 0
        else:
            footer = _FOOTER[-left : -left + len(view)]
            count = len(footer)
            view[:count] = footer
        self._place += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
