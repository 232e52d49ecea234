"""MCAP files of any writer, whole or not."""

from itertools import product

import pytest
from mcap.writer import CompressionType, IndexType

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.mcap_file import CUT_OFF, MAGIC, McapFile
from mtshare_ros.datasets.bags.messages import serialized_stamp
from mtshare_ros.datasets.bags.recorded_file import StorageError
from support.bag_files import STEP, camera, put_mcap, write

ALL = [index * STEP for index in range(6)]
CHUNK = 3000
"""Bytes of a chunk: less than an image, so that each message has one."""


def read(path):
    """Return the stamps of the images that are found, and what is lost."""
    file = McapFile(path)
    messages = list(file.messages(["camera/image"], [topics.RAW_TYPE]))
    file.close()
    (topic,) = [t for t in file.topics if (t.name, t.type) == ("camera/image", topics.RAW_TYPE)]
    assert topic.count == len(messages) or tuple(file.losses)
    return [serialized_stamp(message.data) for message in messages], list(file.losses)


@pytest.mark.parametrize("chunking", [True, False])
@pytest.mark.parametrize("compression", [CompressionType.NONE, CompressionType.LZ4])
def test_any_legal_subset_of_indexes_will_do(tmp_path, chunking, compression):
    indexes = (IndexType.NONE, IndexType.CHUNK, IndexType.MESSAGE, IndexType.ALL)
    for number, options in enumerate(product(indexes, *[(False, True)] * 4)):
        index, statistics, offsets, channels, schemas = options
        path = put_mcap(
            tmp_path / f"{number}.mcap",
            camera(),
            chunk_size=CHUNK,
            compression=compression,
            use_chunking=chunking,
            index_types=index,
            use_statistics=statistics,
            use_summary_offsets=offsets,
            repeat_channels=channels,
            repeat_schemas=schemas,
        )
        assert read(path) == (ALL, []), options


FOREIGN = [
    ("protobuf", "protobuf", b"\x0a\x02"),
    ("json", "jsonschema", b'{"type":"object"}'),
    ("cbor", "", b""),
]


@pytest.mark.parametrize("index", [IndexType.ALL, IndexType.NONE])
def test_channels_that_nobody_asked_for_are_passed_over(tmp_path, index):
    path = put_mcap(tmp_path / "mixed.mcap", camera(), FOREIGN, index_types=index)
    assert read(path) == (ALL, [])
    file = McapFile(path)
    assert {t.type for t in file.topics if t.name == "camera/image"} == {
        topics.RAW_TYPE,
        *(f"{topics.RAW_TYPE} as {encoding}" for encoding, *_ in FOREIGN),
    }
    file.close()


def test_messages_come_by_time_where_chunks_say_it_and_else_as_the_file_has_them(tmp_path):
    messages = [m for m in camera() if m[1] == topics.RAW_TYPE]
    times = [3, 1, 2, 6, 5, 4]
    by_time = [ALL[place] for place in (1, 2, 0, 5, 4, 3)]
    options = {"times": times, "chunk_size": CHUNK}
    assert read(put_mcap(tmp_path / "a.mcap", messages, **options)) == (by_time, [])
    options["index_types"] = IndexType.NONE
    assert read(put_mcap(tmp_path / "b.mcap", messages, **options)) == (by_time, [])
    path = put_mcap(tmp_path / "c.mcap", messages, use_chunking=False, **options)
    assert read(path) == (ALL, [])


@pytest.fixture
def whole(tmp_path):
    return put_mcap(tmp_path / "whole.mcap", camera(), chunk_size=CHUNK)


def chunks(path):
    """Return where each chunk begins and ends."""
    data, place, found = path.read_bytes(), len(MAGIC), []
    while place < len(data) - len(MAGIC):
        end = place + 9 + int.from_bytes(data[place + 1 : place + 9], "little")
        if data[place] == 6:
            found.append((place, end))
        place = end
    return found


@pytest.mark.parametrize("tail", [b"", bytes(5000), b"\x06" + b"\xff" * 8])
def test_a_file_without_its_end_is_read_up_to_its_last_whole_record(tmp_path, whole, tail):
    end = chunks(whole)[-2][1]
    path = tmp_path / "cut.mcap"
    path.write_bytes(whole.read_bytes()[: end + 20] + tail)
    found, lost = read(path)
    assert found == ALL[:-1] and lost == [CUT_OFF]


def test_a_damaged_chunk_is_passed_over_and_named(tmp_path, whole):
    data = bytearray(whole.read_bytes())
    start, end = chunks(whole)[3]
    data[(start + end) // 2] ^= 0xFF
    path = tmp_path / "damaged.mcap"
    path.write_bytes(data)
    found, (lost,) = read(path)
    assert set(found) < set(ALL) and len(found) >= 4
    assert f"can't be read at byte {start} (" in lost and lost.endswith("; the rest is read")


def test_damage_between_records_ends_the_reading(tmp_path, whole):
    data = bytearray(whole.read_bytes())
    place = chunks(whole)[3][1]
    data[place] = 0x7F
    path = tmp_path / "damaged.mcap"
    path.write_bytes(data)
    found, lost = read(path)
    assert found and found == ALL[: len(found)] and len(found) < len(ALL)
    assert lost == [f"is damaged at byte {place}; what follows is not read"]


def test_a_file_without_a_message_that_is_cut_off_is_no_recording(tmp_path, whole):
    path = tmp_path / "short.mcap"
    path.write_bytes(whole.read_bytes()[: chunks(whole)[0][0] + 30])
    with pytest.raises(StorageError, match="it ends before its first message"):
        McapFile(path)


def test_a_chunk_that_claims_more_than_there_can_be_is_damaged(tmp_path, whole):
    data = bytearray(whole.read_bytes())
    for start, _ in chunks(whole):
        data[start + 25 : start + 33] = (1 << 60).to_bytes(8, "little")
    path = tmp_path / "huge.mcap"
    path.write_bytes(data)
    found, lost = read(path)
    assert found == [] and len(lost) == len(chunks(whole))


def test_our_own_clips_are_read_by_their_summary(tmp_path):
    file = McapFile(write(tmp_path / "clip.mcap"))
    assert {t.count for t in file.topics} == {3} and file.start == 1_700_000_000 * 10**9
    file.close()
