"""MCAP files: read by their records, with whatever indexes they have, up to where they end.

An index only saves time: which chunks there are is seen by walking over the records. So a file of
any writer, and one that lost its end with the power, is read as far as its records are whole.
"""

from __future__ import annotations

import heapq
import io
import os
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import count as numbers
from pathlib import Path
from typing import NamedTuple

from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, Schema, Statistics
from mcap.stream_reader import get_chunk_data_stream

from mtshare_ros.datasets.bags import ros1_bag
from mtshare_ros.datasets.bags.recorded_file import Losses, Message, StorageError, Topic
from mtshare_ros.errors import reason_of

MAGIC = b"\x89MCAP0\r\n"
CUT_OFF = "is cut off; expected a file that ends with an index"
LARGEST_CHUNK = 4 << 30
"""Bytes of a chunk beyond which its size is taken for damage."""

_HEADER = struct.Struct("<BQ")
"""Header of a record: its kind, and how many bytes follow."""
_MESSAGE = struct.Struct("<HIQQ")
"""Begin of a message: channel, number, when it was recorded, when it was sent."""
_TIMES = struct.Struct("<QQ")
"""Begin of a chunk: time of its first and of its last message."""
_FOOTER = _HEADER.pack(Opcode.FOOTER, 20)
_LAST_KIND, _PRIVATE = 0x0F, 0x80
_OUTSIDE = (Opcode.SCHEMA, Opcode.CHANNEL, Opcode.MESSAGE)
_ROS2_SCHEMAS = ("ros2msg", "ros2idl", "omgidl", "")


class _Record(NamedTuple):
    """A record and its content, without its header."""

    kind: int
    content: bytes


@dataclass(frozen=True)
class _Part:
    """A chunk, or records outside of chunks that follow each other.

    Attributes:
        start: Where it begins in the file.
        end: Where it ends.
        first: Time of a chunk's first message.
        last: Time of a chunk's last message.
        chunk: Whether it is a chunk.
    """

    start: int
    end: int
    first: int = 0
    last: int = 0
    chunk: bool = False


@dataclass
class _Contents:
    """What a file says of its channels.

    Attributes:
        schemas: Number -> schema.
        channels: Number -> channel.
        counts: Number of a channel -> its messages.
        start: Time of the first message, or None.
    """

    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    start: int | None = None

    def take(self, record: _Record) -> None:
        """Add a schema or a channel."""
        stream = ReadDataStream(io.BytesIO(record.content))
        if record.kind == Opcode.SCHEMA:
            schema = Schema.read(stream)
            self.schemas[schema.id] = schema
        elif record.kind == Opcode.CHANNEL:
            channel = Channel.read(stream)
            self.channels[channel.id] = channel

    def complete(self) -> bool:
        """Return whether each channel with messages is known, and its schema."""
        return all(
            number in self.channels and self.channels[number].schema_id in (0, *self.schemas)
            for number, count in self.counts.items()
            if count
        )


class McapFile:
    """An MCAP file as a ``Storage``."""

    def __init__(self, path: Path) -> None:
        """Open a file.

        Raises:
            StorageError: It holds no message.
        """
        self.losses = Losses()
        self._file = path.open("rb")
        try:
            self._size = os.fstat(self._file.fileno()).st_size
            ended = self._read(max(0, self._size - len(MAGIC)), len(MAGIC)) == MAGIC
            self._parts, end = self._walk()
            if not ended:
                self.losses.note(CUT_OFF)
            elif end is not None:
                self.losses.note(f"is damaged at byte {end}; what follows is not read")
            if not self._parts and tuple(self.losses):
                raise StorageError("it ends before its first message")
            self._contents = (self._summary() if ended else None) or self._scanned()
        except BaseException:
            self._file.close()
            raise
        self.start = self._contents.start
        sums: dict[tuple[str, str], int] = {}
        for number, channel in self._contents.channels.items():
            key = (channel.topic.lstrip("/"), self._type(channel))
            sums[key] = sums.get(key, 0) + self._contents.counts.get(number, 0)
        self.topics = tuple(Topic(*key, count) for key, count in sums.items())

    def messages(self, names: Collection[str], types: Collection[str]) -> Iterator[Message]:
        """See ``Storage``."""
        wanted = {
            number: channel
            for number, channel in self._contents.channels.items()
            if channel.topic.lstrip("/") in names and self._type(channel) in types
        }
        if not wanted:
            return
        for content in self._ordered(wanted):
            number, _, time, _ = _MESSAGE.unpack_from(content)
            channel, data = wanted[number], content[_MESSAGE.size :]
            type_ = self._type(channel)
            if channel.message_encoding == "ros1":
                data = ros1_bag.to_cdr(data, type_)
            yield Message(channel.topic.lstrip("/"), type_, time, data)

    def close(self) -> None:
        """See ``Storage``."""
        self._file.close()

    def _type(self, channel: Channel) -> str:
        """Return the type of a channel's messages; of foreign ones, one that nobody asks for."""
        schema = self._contents.schemas.get(channel.schema_id)
        name = "unknown" if schema is None else schema.name
        encoding = "" if schema is None else schema.encoding
        if channel.message_encoding == "cdr" and encoding in _ROS2_SCHEMAS:
            return name
        ros1 = ros1_bag.ros2_type(name)
        if channel.message_encoding == "ros1" and ros1 in ros1_bag.READ_TYPES:
            return ros1
        return f"{name} as {channel.message_encoding}"

    def _read(self, place: int, length: int) -> bytes:
        self._file.seek(place)
        return self._file.read(length)

    def _walk(self) -> tuple[list[_Part], int | None]:
        """Return the parts with messages, and where a record is not whole; None if all are."""
        parts: list[_Part] = []
        outside: int | None = None
        place = len(MAGIC)
        broken: int | None = None
        while True:
            header = self._read(place, _HEADER.size)
            kind, length = _HEADER.unpack(header) if len(header) == _HEADER.size else (0, 0)
            end = place + _HEADER.size + length
            if not (0 < kind <= _LAST_KIND or kind >= _PRIVATE) or end > self._size:
                broken = place
                break
            if kind in (Opcode.DATA_END, Opcode.FOOTER):
                break
            if kind in _OUTSIDE:
                outside = place if outside is None else outside
            elif outside is not None:
                parts.append(_Part(outside, place))
                outside = None
            if kind == Opcode.CHUNK and length >= _TIMES.size:
                first, last = _TIMES.unpack(self._read(place + _HEADER.size, _TIMES.size))
                parts.append(_Part(place, end, first, last, chunk=True))
            place = end
        if outside is not None:
            parts.append(_Part(outside, place))
        return parts, broken

    def _records(self, part: _Part) -> Iterator[_Record]:
        """Yield the records of a part; of a damaged chunk none, which is noted."""
        if not part.chunk:
            place = part.start
            while place < part.end:
                kind, length = _HEADER.unpack(self._read(place, _HEADER.size))
                place += _HEADER.size
                yield _Record(kind, self._read(place, length))
                place += length
            return
        # Damaged bytes make decompressors raise anything: all of it means the same.
        try:
            yield from self._chunk(part)
        except Exception as error:
            text = f"can't be read at byte {part.start} ({reason_of(error)}); the rest is read"
            self.losses.note(text)

    def _chunk(self, part: _Part) -> list[_Record]:
        content = self._read(part.start + _HEADER.size, part.end - part.start - _HEADER.size)
        chunk = Chunk.read(ReadDataStream(io.BytesIO(content)))
        if chunk.uncompressed_size > LARGEST_CHUNK:
            raise ValueError(f"a chunk of {chunk.uncompressed_size} bytes")
        stream, length = get_chunk_data_stream(chunk, validate_crc=True)
        if length != chunk.uncompressed_size:
            raise ValueError(f"a chunk of {length} bytes; expected {chunk.uncompressed_size}")
        data, place = memoryview(stream.read(length)), 0
        records = []
        while place < length:
            kind, size = _HEADER.unpack_from(data, place)
            place += _HEADER.size
            if place + size > length:
                raise ValueError("a record that goes beyond its chunk")
            records.append(_Record(kind, bytes(data[place : place + size])))
            place += size
        return records

    def _wanted(self, part: _Part, wanted: Collection[int]) -> Iterator[bytes]:
        for record in self._records(part):
            if record.kind == Opcode.MESSAGE and len(record.content) >= _MESSAGE.size:
                if _MESSAGE.unpack_from(record.content)[0] in wanted:
                    yield record.content

    def _ordered(self, wanted: Collection[int]) -> Iterator[bytes]:
        """Yield the contents of messages on some channels.

        Chunks that say when their messages were recorded are merged by time; a chunk is loaded
        when its first message is due. Else the order is that of the file.
        """

        def time_of(content: bytes) -> int:
            return int(_MESSAGE.unpack_from(content)[2])

        if not all(part.chunk and 0 < part.first <= part.last for part in self._parts):
            for part in self._parts:
                found = self._wanted(part, wanted)
                yield from sorted(found, key=time_of) if part.chunk else found
            return
        loaded: list[tuple[int, int, bytes]] = []
        order = numbers()
        for part in sorted(self._parts, key=lambda part: part.first):
            while loaded and loaded[0][0] < part.first:
                yield heapq.heappop(loaded)[2]
            for content in self._wanted(part, wanted):
                heapq.heappush(loaded, (time_of(content), next(order), content))
        while loaded:
            yield heapq.heappop(loaded)[2]

    def _scanned(self) -> _Contents:
        """Return the contents after a look at each record."""
        contents = _Contents()
        for part in self._parts:
            for record in self._records(part):
                if record.kind in (Opcode.SCHEMA, Opcode.CHANNEL):
                    try:
                        contents.take(record)
                    except Exception as error:
                        self.losses.note(f"has a channel that can't be read ({reason_of(error)})")
                elif record.kind == Opcode.MESSAGE and len(record.content) >= _MESSAGE.size:
                    number, _, time, _ = _MESSAGE.unpack_from(record.content)
                    contents.counts[number] = contents.counts.get(number, 0) + 1
                    if contents.start is None or time < contents.start:
                        contents.start = time
        return contents

    def _summary(self) -> _Contents | None:
        """Return the contents as the file's summary has them; None if it has not all of them."""
        tail = self._read(max(0, self._size - 37), 37)
        if not tail.startswith(_FOOTER):
            return None
        place = int.from_bytes(tail[len(_FOOTER) : len(_FOOTER) + 8], "little")
        if not 0 < place < self._size:
            return None
        contents, statistics = _Contents(), None
        try:
            while place < self._size - len(tail):
                kind, length = _HEADER.unpack(self._read(place, _HEADER.size))
                place += _HEADER.size
                if kind in (Opcode.SCHEMA, Opcode.CHANNEL):
                    contents.take(_Record(kind, self._read(place, length)))
                elif kind == Opcode.STATISTICS:
                    stream = ReadDataStream(io.BytesIO(self._read(place, length)))
                    statistics = Statistics.read(stream)
                place += length
        except Exception:  # A damaged summary is of no use, and the records are there.
            return None
        if statistics is None:
            return None
        contents.counts = dict(statistics.channel_message_counts)
        if sum(contents.counts.values()) != statistics.message_count or not contents.complete():
            return None
        if statistics.message_count:
            contents.start = statistics.message_start_time
        return contents
