"""SQLite files of recorded messages."""

import sqlite3

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.messages import content_of, serialized_stamp
from mtshare_ros.datasets.bags.recorded_file import StorageError
from mtshare_ros.datasets.bags.sqlite_file import SqliteFile
from support.bag_files import STEP, camera, clip_frame, is_open, put

ALL = [index * STEP for index in range(6)]


@pytest.fixture
def recorded(tmp_path):
    put(tmp_path / "bag", camera(), StoragePlugin.SQLITE3)
    return tmp_path / "bag" / "bag.db3"


def read(path):
    file = SqliteFile(path)
    messages = list(file.messages(["camera/image"], [topics.RAW_TYPE]))
    file.close()
    return [serialized_stamp(message.data) for message in messages], list(file.losses)


def test_messages_come_by_time_with_their_counts(recorded):
    file = SqliteFile(recorded)
    assert {(t.name, t.count) for t in file.topics} == {
        ("camera/image", 6),
        ("camera/camera_info", 6),
    }
    assert file.start == 10**6 and is_open(recorded)
    file.close()
    assert not is_open(recorded)
    with sqlite3.connect(recorded) as database:
        database.execute("UPDATE messages SET timestamp = 99000000 - timestamp")
    assert read(recorded) == (ALL[::-1], [])
    file = SqliteFile(recorded)
    assert file.start == 99_000_000 - 12 * 10**6
    file.close()


def test_other_encodings_and_values_of_other_types_are_no_messages(recorded):
    with sqlite3.connect(recorded) as database:
        rows = database.execute("SELECT sql FROM sqlite_master WHERE name = 'topics'").fetchone()
        assert "serialization_format" in rows[0]
        database.execute(
            "INSERT INTO topics SELECT 99, name, type, 'protobuf', offered_qos_profiles,"
            " type_description_hash FROM topics WHERE name = '/camera/image'"
        )
        database.execute("INSERT INTO messages VALUES (NULL, 99, 5, x'00')")
        database.execute("UPDATE messages SET data = 'text', timestamp = 'never' WHERE id = 2")
    file = SqliteFile(recorded)
    assert b"" in [m.data for m in file.messages(["camera/image"], [topics.RAW_TYPE])]
    file.close()
    found, lost = read(recorded)
    assert sorted(s for s in found if s is not None) == ALL[1:] and found.count(None) == 1
    assert lost == []


def test_a_file_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path):
    put(tmp_path / "bag", camera(frames=60), StoragePlugin.SQLITE3)
    path = tmp_path / "bag" / "bag.db3"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    found, (lost,) = read(path)
    assert found == [index * STEP for index in range(len(found))]
    assert 20 < len(found) < 60
    assert lost == "is cut off"


@pytest.mark.parametrize("bytes_left", [1, 700, 3000])
def test_a_message_of_which_a_part_is_missing_is_none(tmp_path, bytes_left):
    put(tmp_path / "bag", camera(frames=60), StoragePlugin.SQLITE3)
    path = tmp_path / "bag" / "bag.db3"
    data = path.read_bytes()
    for page in range(40, 50):
        path.write_bytes(data[: 4096 * page + bytes_left])
        file = SqliteFile(path)
        for message in file.messages(["camera/image"], [topics.RAW_TYPE]):
            number = round(serialized_stamp(message.data) / STEP)
            assert np.array_equal(content_of(message).data, clip_frame(number).rgb.reshape(-1))
        file.close()
        assert list(file.losses) == ["is cut off"]


def test_what_is_not_yet_in_the_file_itself_is_read(recorded, tmp_path):
    database = sqlite3.connect(recorded)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute(
        "INSERT INTO messages SELECT NULL, topic_id, 10 * timestamp, data FROM messages"
    )
    database.commit()
    copy = tmp_path / "copy.db3"
    for end in ("", "-wal"):
        path = recorded.with_name(recorded.name + end)
        copy.with_name(copy.name + end).write_bytes(path.read_bytes())
    database.close()
    assert len(read(copy)[0]) == 12


@pytest.mark.parametrize("content", [b"SQLite format 3\x00", b"SQLite format 3\x00" + bytes(5000)])
def test_a_file_without_topics_is_no_recording(tmp_path, content):
    path = tmp_path / "none.db3"
    path.write_bytes(content)
    with pytest.raises(StorageError):
        SqliteFile(path)


@pytest.mark.parametrize("page", [4096, 65536])
def test_a_part_of_a_page_at_the_end_is_a_cut_and_the_order_is_the_file_s(recorded, page):
    with sqlite3.connect(recorded) as database:
        database.execute("UPDATE messages SET timestamp = 99000000 - timestamp")
    database.execute(f"PRAGMA page_size={page}")
    database.execute("VACUUM")
    database.close()
    assert recorded.stat().st_size % page == 0
    assert read(recorded) == (ALL[::-1], [])
    with recorded.open("ab") as file:
        file.write(bytes(16))
    assert read(recorded) == (ALL, ["is cut off"])


def test_a_file_that_ends_between_two_pages_is_cut_off(tmp_path):
    put(tmp_path / "bag", camera(frames=60), StoragePlugin.SQLITE3)
    path = tmp_path / "bag" / "bag.db3"
    path.write_bytes(path.read_bytes()[: 4096 * 60])
    found, lost = read(path)
    assert found == [index * STEP for index in range(len(found))] and 20 < len(found) < 60
    assert lost == ["is cut off"]


def test_two_topics_of_one_name_and_type_are_counted_as_one(recorded):
    with sqlite3.connect(recorded) as database:
        database.execute(
            "INSERT INTO topics SELECT 99, name, type, serialization_format,"
            " offered_qos_profiles, type_description_hash FROM topics"
            " WHERE name = '/camera/image'"
        )
        database.execute("UPDATE messages SET topic_id = 99 WHERE id = 4")
    file = SqliteFile(recorded)
    counts = {topic.name: topic.count for topic in file.topics}
    file.close()
    assert counts == {"camera/image": 6, "camera/camera_info": 6}
    assert read(recorded) == (ALL, [])


def test_a_file_beside_which_nothing_can_be_written_is_read(recorded):
    database = sqlite3.connect(recorded)
    database.execute("PRAGMA journal_mode=WAL")
    database.close()
    # In this mode SQLite keeps a second file, whose name is taken here.
    recorded.with_name(recorded.name + "-shm").mkdir()
    assert read(recorded) == (ALL, [])
