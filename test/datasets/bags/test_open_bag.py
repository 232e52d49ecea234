"""One way to open a bag, and the errors that name it, its topics and what was expected."""

import numpy as np
import pytest

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.messages import stamp_of
from mtshare_ros.datasets.bags.open_bag import BagError, OpenBag, Topic
from mtshare_ros.errors import UserError
from support.bag_files import STEP, STORE, clip_frame, image, put, write


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
        assert bag.camera_images("rear/image") == "rear/image/compressed"
        assert bag.find_images("level") is None
        with pytest.raises(BagError) as error:
            bag.camera_images("level")
    assert str(error.value) == (
        f"bag {mixed}: no images on level or level/compressed; it has front/image (2 Image), "
        "level (1 Int32), rear/image/compressed (1 CompressedImage)"
    )
    assert isinstance(error.value, UserError)


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


def test_a_folder_without_metadata_is_no_bag(tmp_path):
    with pytest.raises(BagError, match="can't be read .*expected a ROS 2 bag"):
        OpenBag(tmp_path)


def test_a_bag_without_its_end_is_opened_for_who_asks_for_it(tmp_path):
    whole = write(tmp_path / "whole.mcap").read_bytes()
    path = tmp_path / "short.mcap"
    path.write_bytes(whole[:-40])
    with pytest.raises(BagError, match="can't be read"):
        OpenBag(path)
    with OpenBag(path, salvage=True) as bag:
        assert bag.cut_off
        images = list(bag.messages([topics.IMAGE], topics.IMAGE_TYPES))
        assert images[1].time - images[0].time == STEP
    with OpenBag(tmp_path / "whole.mcap", salvage=True) as bag:
        assert not bag.cut_off


def test_a_folder_whose_name_looks_like_a_file_is_a_folder(tmp_path):
    write(tmp_path / "bag").rename(tmp_path / "bag.mcap")
    with OpenBag(tmp_path / "bag.mcap", salvage=True) as bag:
        assert not bag.cut_off and bag.count(topics.IMAGE, topics.IMAGE_TYPES) == 3
