"""One way to open a bag, and the errors that name it, its topics and what was expected."""

import tempfile

import numpy as np
import pytest
import zstandard
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.file import BagFile
from mtshare_ros.datasets.bags.messages import stamp_of
from mtshare_ros.datasets.bags.open_bag import BagError, IncompleteBagError, OpenBag
from mtshare_ros.datasets.bags.recorded_file import Topic
from mtshare_ros.errors import UserError
from support.bag_files import (
    STEP,
    STORE,
    camera,
    clip_frame,
    image,
    is_open,
    jpeg,
    put,
    put_mcap,
    write,
)


@pytest.fixture
def mixed(tmp_path):
    """A bag with raw images, other images that are compressed, and a number."""
    packed = STORE.types[topics.COMPRESSED_TYPE](
        header=image(clip_frame(0).rgb, "rgb8").header, format="png", data=np.zeros(3, np.uint8)
    )
    number = STORE.types["std_msgs/msg/Int32"](data=1)
    messages = [
        ("/front/image", topics.RAW_TYPE, image(clip_frame(0).rgb, "rgb8", 9)),
        ("/rear/image/compressed", topics.COMPRESSED_TYPE, packed),
        ("/level", "std_msgs/msg/Int32", number),
        ("/front/image", topics.RAW_TYPE, image(clip_frame(0).rgb, "rgb8", 10)),
    ]
    put(tmp_path / "mixed", messages)
    return tmp_path / "mixed"


def test_topics_are_known_by_name_type_and_count(mixed):
    with OpenBag(mixed) as bag:
        assert set(bag.topics) == {
            Topic("front/image", topics.RAW_TYPE, 2),
            Topic("rear/image/compressed", topics.COMPRESSED_TYPE, 1),
            Topic("level", "std_msgs/msg/Int32", 1),
        }
        assert bag.start == 10**6
        assert bag.count("front/image", topics.IMAGE_TYPES) == 2
        assert bag.count("level", topics.IMAGE_TYPES) == 0


def test_images_are_found_raw_or_compressed(mixed):
    with OpenBag(mixed) as bag:
        assert bag.find_images("front/image") == "front/image"
        assert bag.find_images("rear/image") == "rear/image/compressed"
        assert bag.find_images("level") is None
        error = bag.lacks("ground")
    assert str(error) == (
        f"bag {mixed}: no ground; it has front/image (2 Image), level (1 Int32), "
        "rear/image/compressed (1 CompressedImage)"
    )
    assert isinstance(error, UserError)


def test_raw_images_go_before_compressed_ones(tmp_path):
    messages = [
        ("/a/compressed", topics.COMPRESSED_TYPE, jpeg(0)),
        ("/a", topics.RAW_TYPE, image(clip_frame(0).rgb, "rgb8")),
    ]
    put(tmp_path / "bag", messages)
    with OpenBag(tmp_path / "bag") as bag:
        assert bag.find_images("a") == "a"


def test_messages_come_in_order_and_of_the_wanted_types_only(mixed):
    with OpenBag(mixed) as bag:
        images = list(bag.messages(["front/image", "level"], [topics.RAW_TYPE]))
        assert [(m.topic, m.time) for m in images] == [
            ("front/image", 10**6),
            ("front/image", 4 * 10**6),
        ]
        assert [stamp_of(bag.decoded(m)) for m in images] == [9, 10]
        assert list(bag.messages(["nowhere"], topics.IMAGE_TYPES)) == []


def test_a_message_that_can_not_be_decoded_names_bag_topic_and_time(mixed):
    with OpenBag(mixed) as bag:
        message = next(bag.messages(["front/image"], [topics.RAW_TYPE]))
        broken = type(message)(message.topic, message.type, message.time, message.data[:9])
        with pytest.raises(BagError, match=f"mixed: /front/image at {10**6}: "):
            bag.decoded(broken)


@pytest.mark.parametrize("name", ["none", "none.mcap"])
def test_a_bag_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(BagError, match=f"bag .*{name}: not found"):
        OpenBag(tmp_path / name)


def test_an_empty_folder_is_no_bag(tmp_path):
    with pytest.raises(BagError, match="no .mcap or .db3 and no metadata.yaml in it; expected"):
        OpenBag(tmp_path)


def stamps(bag, topic="camera/image"):
    return [stamp_of(bag.decoded(m)) for m in bag.messages([topic], topics.IMAGE_TYPES)]


ALL = [index * STEP for index in range(6)]


def test_a_bag_without_its_end_is_read_and_says_so(tmp_path):
    whole = write(tmp_path / "whole.mcap").read_bytes()
    path = tmp_path / "short.mcap"
    path.write_bytes(whole[:-40])
    with OpenBag(path) as bag:
        images = list(bag.messages([topics.IMAGE], topics.IMAGE_TYPES))
        assert images[1].time - images[0].time == STEP
        said = "is cut off; expected a file that ends with an index"
        assert bag.losses == said
        with pytest.raises(IncompleteBagError, match=f"short.mcap: {said}"):
            bag.check_whole()
    with OpenBag(tmp_path / "whole.mcap") as bag:
        assert not bag.losses
        bag.check_whole()


def test_a_folder_whose_name_looks_like_a_file_is_a_folder(tmp_path):
    write(tmp_path / "bag").rename(tmp_path / "bag.mcap")
    with OpenBag(tmp_path / "bag.mcap") as bag:
        assert not bag.losses and bag.count(topics.IMAGE, topics.IMAGE_TYPES) == 3


def split(folder):
    """Write what a recorder leaves behind that had no time to write metadata: 12 files."""
    folder.mkdir()
    messages = camera()
    for number, message in enumerate(messages):
        put_mcap(folder / f"rec_{number}.mcap", [message])
    return folder


def test_a_folder_without_metadata_is_read_file_by_file_in_the_order_of_their_numbers(tmp_path):
    folder = split(tmp_path / "cut")
    with OpenBag(folder) as bag:
        assert stamps(bag) == ALL and not bag.losses
    last = folder / "rec_11.mcap"
    last.write_bytes(last.read_bytes()[:-100])
    (folder / "rec_3.mcap").write_bytes(b"")
    (folder / "metadata.yaml").write_text("rosbag2_bagfile_information:\n  version: 5\n  dur")
    with OpenBag(folder) as bag:
        assert stamps(bag) == [stamp for stamp in ALL if stamp != STEP]
        assert bag.losses == (
            "rec_3.mcap can't be read (it is empty); rec_11.mcap is cut off; expected a file that"
            " ends with an index"
        )
        assert bag.start == 10**6


def test_only_files_that_can_be_the_recorder_s_are_taken_for_its_own(tmp_path):
    folder = split(tmp_path / "cut")
    (folder / "rec_5.mcap").rename(folder / "rec_5.MCAP")
    put_mcap(folder / "._copy_0.mcap", camera())
    (folder / "notes.mcap").mkdir()
    with OpenBag(folder) as bag:
        assert stamps(bag) == ALL and not bag.losses


def test_a_folder_of_several_recordings_has_to_be_told_which(tmp_path):
    folder = split(tmp_path / "cut")
    put_mcap(folder / "other_0.mcap", camera())
    with pytest.raises(BagError, match="files of 2 recordings; name one of other_0.mcap, rec_0"):
        OpenBag(folder)


def test_a_file_that_metadata_name_and_that_is_gone_is_a_loss(tmp_path):
    put(tmp_path / "bag", camera())
    path = tmp_path / "bag" / "metadata.yaml"
    text = path.read_text()
    path.write_text(text.replace("- bag.mcap", "- bag.mcap\n  - gone.mcap"))
    assert text != path.read_text()
    with OpenBag(tmp_path / "bag") as bag:
        assert stamps(bag) == ALL and bag.losses == "gone.mcap is missing"


def renamed(folder, name):
    """Return a bag whose metadata call its file by another name."""
    put(folder, camera())
    path = folder / "metadata.yaml"
    path.write_text(path.read_text().replace("- bag.mcap", f"- {name}"))
    return folder


def test_files_are_looked_for_beside_the_metadata_wherever_they_were(tmp_path):
    with OpenBag(renamed(tmp_path / "bag", "/old/place/bag.mcap")) as bag:
        assert stamps(bag) == ALL and not bag.losses


@pytest.mark.parametrize(
    ("name", "said"), [("gone.mcap", "gone.mcap is missing"), ("", "metadata.yaml names no file")]
)
def test_a_folder_without_any_of_its_files_says_so(tmp_path, name, said):
    folder = renamed(tmp_path / "bag", name)
    if not name:
        (folder / "metadata.yaml").write_text(
            "rosbag2_bagfile_information: {relative_file_paths: []}"
        )
    with pytest.raises(BagError) as error:
        OpenBag(folder)
    assert str(error.value) == f"bag {folder}: {said}"


def test_a_folder_of_files_none_of_which_can_be_read_names_each(tmp_path):
    put(tmp_path / "bag", camera())
    (tmp_path / "bag" / "bag.mcap").write_bytes(b"")
    with pytest.raises(BagError) as error:
        OpenBag(tmp_path / "bag")
    said = "can't be read (bag.mcap can't be read (it is empty)); expected a ROS 2 bag"
    assert str(error.value) == f"bag {tmp_path / 'bag'}: {said}"


@pytest.mark.parametrize("text", ["text", "[1]", "rosbag2_bagfile_information: 3", "a: [", "\xff"])
def test_metadata_that_say_nothing_are_as_none(tmp_path, text):
    put(tmp_path / "bag", camera())
    (tmp_path / "bag" / "metadata.yaml").write_text(text, "latin-1")
    with OpenBag(tmp_path / "bag") as bag:
        assert stamps(bag) == ALL and not bag.losses


def test_a_closed_bag_leaves_no_file_open_and_no_copy_behind(tmp_path, monkeypatch):
    (tmp_path / "copies").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "copies"))
    path = put_mcap(tmp_path / "a.mcap", camera())
    packed = tmp_path / "a.mcap.zstd"
    packed.write_bytes(zstandard.ZstdCompressor().compress(path.read_bytes()))
    with OpenBag(path) as bag, OpenBag(packed) as unpacked:
        assert stamps(bag) == stamps(unpacked) == ALL
        assert is_open(path) and list((tmp_path / "copies").iterdir())
    assert not is_open(path) and not list((tmp_path / "copies").iterdir())


def test_a_compressed_file_that_is_damaged_is_read_as_far_as_it_is_whole(tmp_path):
    data = put_mcap(tmp_path / "a.mcap", camera(frames=60), use_chunking=False).read_bytes()
    packed = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(data))
    packed[-1] ^= 0xFF
    (tmp_path / "a.mcap.zstd").write_bytes(packed)
    with OpenBag(tmp_path / "a.mcap.zstd") as bag:
        assert stamps(bag) and "a.mcap.zstd can't be unpacked (" in bag.losses


def test_a_compressed_message_that_is_damaged_is_empty_and_the_others_are_read(tmp_path):
    data = bytes(STORE.serialize_cdr(image(clip_frame(0).rgb, "rgb8", 7), topics.RAW_TYPE))
    packed = zstandard.ZstdCompressor().compress(data)
    with BagFile(tmp_path / "a.mcap") as file:
        file.add_topic("a", topics.RAW_TYPE)
        file.put_serialized("a", packed[:-9], 1)
        file.put_serialized("a", packed, 2)
    with OpenBag(tmp_path / "a.mcap") as bag:
        assert [message.data for message in bag.messages(["a"], [topics.RAW_TYPE])] == [b"", data]


@pytest.mark.parametrize("plugin", list(StoragePlugin))
@pytest.mark.parametrize("mode", [CompressionMode.FILE, CompressionMode.MESSAGE])
def test_bags_that_ros2_bag_compressed_are_read(tmp_path, plugin, mode):
    put(tmp_path / "bag", camera(), plugin, (mode, CompressionFormat.ZSTD))
    with OpenBag(tmp_path / "bag") as bag:
        assert stamps(bag) == ALL and not bag.losses


def test_a_file_is_known_by_its_content_and_not_by_its_name(tmp_path):
    path = put_mcap(tmp_path / "recording.db3", camera())
    with OpenBag(path) as bag:
        assert stamps(bag) == ALL


@pytest.mark.parametrize("name", ["a b", "a?b#c%20d", "ü[1]", "line\nbreak", "-x", "\udcff"])
def test_a_name_may_have_any_characters(tmp_path, name):
    put(tmp_path / "sqlite", camera(), StoragePlugin.SQLITE3)
    path = (tmp_path / "sqlite" / "sqlite.db3").rename(tmp_path / f"{name}.db3")
    for bag_path in (path, put_mcap(tmp_path / f"{name}.mcap", camera())):
        with OpenBag(bag_path) as bag:
            assert stamps(bag) == ALL


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "it is empty"), (b"\x89PNG\r\n", "its first bytes are no bag's")]
)
def test_what_is_no_bag_is_refused_in_one_line(tmp_path, content, said):
    path = tmp_path / "file.mcap"
    path.write_bytes(content)
    with pytest.raises(BagError) as error:
        OpenBag(path)
    assert str(error.value) == f"bag {path}: can't be read ({said}); expected a ROS 2 bag"
