"""MCAP files of any writer, whole or not."""

from io import BytesIO
from itertools import product

import pytest
from mcap.data_stream import ReadDataStream
from mcap.records import Chunk
from mcap.stream_reader import get_chunk_data_stream
from mcap.writer import CompressionType, IndexType
from mcap.writer import Writer as McapWriter

from mtshare_ros.datasets.bags import mcap_file, topics
from mtshare_ros.datasets.bags.mcap_file import CUT_OFF, MAGIC, McapFile
from mtshare_ros.datasets.bags.messages import content_of, serialized_stamp
from mtshare_ros.datasets.bags.recorded_file import StorageError, Topic
from support.bag_files import STEP, STORE, camera, is_open, put_mcap, write

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


def test_two_channels_of_one_topic_are_counted_together(tmp_path):
    path = put_mcap(tmp_path / "two.mcap", camera(), [("cdr", "ros2msg", b"")])
    file = McapFile(path)
    assert {(t.name, t.count) for t in file.topics} == {
        ("camera/image", 7),
        ("camera/camera_info", 6),
    }
    assert len(list(file.messages(["camera/image"], [topics.RAW_TYPE]))) == 7
    file.close()


def test_cdr_of_a_schema_that_ros_does_not_write_is_foreign(tmp_path):
    file = McapFile(put_mcap(tmp_path / "a.mcap", [], [("cdr", "flatbuffer", b"")]))
    assert file.topics == (Topic("camera/image", f"{topics.RAW_TYPE} as cdr", 1),)
    file.close()


def test_messages_of_ros_1_are_given_as_those_of_ros_2_if_they_are_read_at_all(tmp_path):
    message = camera(frames=1)[1][2]
    cdr = bytes(STORE.serialize_cdr(message, topics.RAW_TYPE))
    path = tmp_path / "ros1.mcap"
    with path.open("wb") as stream:
        writer = McapWriter(stream)
        writer.start(profile="ros1")
        for topic, kind, data in (
            ("/camera/image", "sensor_msgs/Image", bytes(STORE.cdr_to_ros1(cdr, topics.RAW_TYPE))),
            ("/said", "std_msgs/String", b"\x01\0\0\0a"),
        ):
            schema = writer.register_schema(kind, "ros1msg", b"")
            writer.add_message(writer.register_channel(topic, "ros1", schema), 5, data, 4)
        writer.finish()
    file = McapFile(path)
    assert set(file.topics) == {
        Topic("camera/image", topics.RAW_TYPE, 1),
        Topic("said", "std_msgs/String as ros1", 1),
    }
    (found,) = file.messages(["camera/image"], [topics.RAW_TYPE])
    assert found.time == 5 and bytes(content_of(found).data) == bytes(message.data)
    file.close()


def test_a_file_without_messages_is_a_recording(tmp_path):
    file = McapFile(put_mcap(tmp_path / "empty.mcap", []))
    assert (file.topics, file.start, list(file.losses)) == ((), None, [])
    file.close()


def test_messages_come_by_time_where_chunks_say_it_and_else_as_the_file_has_them(tmp_path):
    messages = [m for m in camera() if m[1] == topics.RAW_TYPE]
    times = [3, 6, 1, 2, 5, 4]
    by_time = [ALL[place] for place in (2, 3, 0, 5, 4, 1)]
    options = {"times": times, "chunk_size": CHUNK}
    assert read(put_mcap(tmp_path / "a.mcap", messages, **options)) == (by_time, [])
    options["index_types"] = IndexType.NONE
    assert read(put_mcap(tmp_path / "b.mcap", messages, **options)) == (by_time, [])
    path = put_mcap(tmp_path / "c.mcap", messages, use_chunking=False, **options)
    assert read(path) == (ALL, [])


def test_chunks_that_overlap_are_merged_and_equal_times_keep_their_order(tmp_path):
    messages = [m for m in camera() if m[1] == topics.RAW_TYPE]
    options = {"times": [1, 5, 3, 9, 7, 10], "chunk_size": 2 * CHUNK}
    path = put_mcap(tmp_path / "a.mcap", messages, **options)
    assert len(chunks(path)) == 3
    assert read(path) == ([ALL[place] for place in (0, 2, 1, 4, 3, 5)], [])
    options = {"times": [4] * 6, "chunk_size": CHUNK}
    assert read(put_mcap(tmp_path / "b.mcap", messages, **options)) == (ALL, [])


@pytest.mark.parametrize("use_statistics", [True, False])
def test_the_start_is_the_time_of_the_earliest_message(tmp_path, use_statistics):
    options = {"times": [3, 6, 1, 2, 5, 4], "use_statistics": use_statistics}
    file = McapFile(put_mcap(tmp_path / "a.mcap", camera(frames=3), **options))
    assert file.start == 1
    file.close()


def test_a_summary_that_counts_otherwise_or_is_damaged_is_not_relied_on(tmp_path):
    path = put_mcap(tmp_path / "a.mcap", camera())
    whole = path.read_bytes()
    ((_, _, end),) = [r for r in records(path) if r[0] == 11]
    _, start, _ = [r for r in records(path) if r[0] == 4][-1]
    for place, wrong in ((end - 8, b"\x05"), (start + 13, b"\xff\xff\xff")):
        path.write_bytes(whole[:place] + wrong + whole[place + len(wrong) :])
        file = McapFile(path)
        assert {t.count for t in file.topics} == {6} and not tuple(file.losses)
        file.close()


def test_a_channel_that_is_damaged_is_named(tmp_path):
    options = {"use_chunking": False, "use_statistics": False, "repeat_channels": False}
    path = put_mcap(tmp_path / "a.mcap", camera(frames=1), **options)
    data = bytearray(path.read_bytes())
    ((start, _), _) = [r[1:] for r in records(path) if r[0] == 4]
    data[start + 13 : start + 17] = b"\xff" * 4
    path.write_bytes(data)
    file = McapFile(path)
    file.close()
    (lost,) = file.losses
    assert lost.startswith("has a channel that can't be read (")
    assert [t.name for t in file.topics] == ["camera/image"]


def test_chunks_without_times_are_read_as_the_file_has_them_each_by_time(tmp_path):
    messages = [m for m in camera() if m[1] == topics.RAW_TYPE]
    times = [3, 6, 1, 2, 5, 4]
    for size, expected in ((CHUNK, ALL), (10**6, [ALL[n] for n in (2, 3, 0, 5, 4, 1)])):
        path = put_mcap(tmp_path / f"{size}.mcap", messages, times=times, chunk_size=size)
        data = bytearray(path.read_bytes())
        for start, _ in chunks(path):
            data[start + 9 : start + 25] = bytes(16)
        path.write_bytes(data)
        assert read(path) == (expected, [])


def test_records_outside_of_chunks_are_read_where_they_stand(tmp_path):
    images = [m for m in camera(frames=3) if m[1] == topics.RAW_TYPE]
    plain = put_mcap(tmp_path / "plain.mcap", [images[0], images[2]], use_chunking=False)
    packed = put_mcap(tmp_path / "packed.mcap", [images[1]])
    header, schema, channel, first, last = (
        plain.read_bytes()[start:end] for _, start, end in records(plain)[:5]
    )
    (chunk,) = (packed.read_bytes()[start:end] for start, end in chunks(packed))
    private = b"\x85" + (3).to_bytes(8, "little") + b"abc"
    path = tmp_path / "mixed.mcap"
    end = b"\x0f" + (4).to_bytes(8, "little") + bytes(4)
    body = (MAGIC, header, schema, channel, first, chunk, private, last, end, MAGIC)
    path.write_bytes(b"".join(body))
    assert read(path) == (ALL[:3], [])


def test_a_record_that_goes_beyond_its_chunk_is_no_message(tmp_path, whole):
    start, end = chunks(whole)[0]
    data = bytearray(whole.read_bytes())
    chunk = Chunk.read(ReadDataStream(BytesIO(data[start + 9 : end])))
    stream, length = get_chunk_data_stream(chunk)
    content = stream.read(length)
    # The last of the chunk's records claims a byte more than there is.
    place = 0
    while place + 9 + int.from_bytes(content[place + 1 : place + 9], "little") < length:
        place += 9 + int.from_bytes(content[place + 1 : place + 9], "little")
    size = int.from_bytes(content[place + 1 : place + 9], "little") + 1
    content = content[: place + 1] + size.to_bytes(8, "little") + content[place + 9 :]
    times = data[start + 9 : start + 25]
    body = times + length.to_bytes(8, "little") + bytes(8) + length.to_bytes(8, "little") + content
    path = tmp_path / "beyond.mcap"
    made = b"\x06" + len(body).to_bytes(8, "little") + body
    path.write_bytes(data[:start] + made + data[end:])
    file = McapFile(path)
    list(file.messages(["camera/image"], [topics.RAW_TYPE]))
    file.close()
    said = f"can't be read at byte {start} (a record that goes beyond its chunk); the rest is read"
    assert list(file.losses) == [said]


@pytest.fixture
def whole(tmp_path):
    return put_mcap(tmp_path / "whole.mcap", camera(), chunk_size=CHUNK)


def records(path):
    """Return the kind of each record, and where it begins and ends."""
    data, place, found = path.read_bytes(), len(MAGIC), []
    while place < len(data) - len(MAGIC):
        end = place + 9 + int.from_bytes(data[place + 1 : place + 9], "little")
        found.append((data[place], place, end))
        place = end
    return found


def chunks(path):
    """Return where each chunk begins and ends."""
    return [(start, end) for kind, start, end in records(path) if kind == 6]


@pytest.mark.parametrize("tail", [b"", bytes(5000), b"\x06" + b"\xff" * 8])
def test_a_file_without_its_end_is_read_up_to_its_last_whole_record(tmp_path, whole, tail):
    end = chunks(whole)[-2][1]
    path = tmp_path / "cut.mcap"
    path.write_bytes(whole.read_bytes()[: end + 20] + tail)
    assert read(path) == (ALL[:-1], [CUT_OFF])
    path.write_bytes(whole.read_bytes()[:end])
    assert read(path) == (ALL[:-1], [CUT_OFF])


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
    # The error is kept, and with it the frame that opened the file.
    with pytest.raises(StorageError, match="it ends before its first message") as raised:
        McapFile(path)
    assert not is_open(path), raised


def test_a_chunk_that_claims_more_than_there_can_be_is_damaged(tmp_path, whole):
    data = bytearray(whole.read_bytes())
    for start, _ in chunks(whole):
        data[start + 25 : start + 33] = (1 << 60).to_bytes(8, "little")
    path = tmp_path / "huge.mcap"
    path.write_bytes(data)
    found, lost = read(path)
    assert found == [] and len(lost) == len(chunks(whole))


def test_a_chunk_of_the_largest_size_is_read_and_one_beyond_it_is_not(
    tmp_path, whole, monkeypatch
):
    data = whole.read_bytes()
    sizes = [int.from_bytes(data[start + 25 : start + 33], "little") for start, _ in chunks(whole)]
    monkeypatch.setattr(mcap_file, "LARGEST_CHUNK", max(sizes))
    assert read(whole) == (ALL, [])
    monkeypatch.setattr(mcap_file, "LARGEST_CHUNK", min(sizes) - 1)
    found, lost = read(whole)
    assert found == [] and len(lost) == len(sizes)
    for size, text in zip(sizes, lost, strict=True):
        assert f"(a chunk of {size} bytes); " in text


def test_the_summary_counts_the_messages_of_a_file_that_has_ended_and_only_of_that(tmp_path):
    path = put_mcap(tmp_path / "a.mcap", camera(), FOREIGN, chunk_size=CHUNK)
    data = bytearray(path.read_bytes())
    start, end = chunks(path)[3]
    data[(start + end) // 2] ^= 0xFF
    path.write_bytes(data)
    assert images_of(path) == 6
    data[-1] ^= 0xFF
    path.write_bytes(data)
    assert images_of(path) == 5


def test_a_channel_that_needs_no_schema_is_counted_by_the_summary_too(tmp_path):
    path = tmp_path / "a.mcap"
    with path.open("wb") as stream:
        writer = McapWriter(stream, chunk_size=1)
        writer.start()
        number = writer.register_channel("/said", "json", 0)
        for time in (1, 2, 3):
            writer.add_message(number, time, b"{}", time)
        writer.finish()
    data = bytearray(path.read_bytes())
    start, end = chunks(path)[1]
    data[(start + end) // 2] ^= 0xFF
    path.write_bytes(data)
    file = McapFile(path)
    file.close()
    assert file.topics == (Topic("said", "unknown as json", 3),)


def images_of(path):
    """Return how many images a file is said to have."""
    file = McapFile(path)
    file.close()
    (count,) = [t.count for t in file.topics if t.type == topics.RAW_TYPE]
    return count


def test_our_own_clips_are_read_by_their_summary(tmp_path):
    file = McapFile(write(tmp_path / "clip.mcap"))
    assert {t.count for t in file.topics} == {3} and file.start == 1_700_000_000 * 10**9
    file.close()
