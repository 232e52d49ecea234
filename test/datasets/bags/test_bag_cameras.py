"""Which topics of a bag are a camera's, and which one is read."""

import numpy as np
import pytest

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.bag_cameras import Camera, choose_camera
from mtshare_ros.datasets.bags.open_bag import BagError, OpenBag
from support.bag_files import STORE, camera, clip_frame, image, jpeg, put, put_cut

RGB = clip_frame(0).rgb
DEPTH = np.zeros((32, 48), np.uint8)


def raw(name, encoding="rgb8"):
    values = RGB if encoding == "rgb8" else DEPTH
    return (name, topics.RAW_TYPE, image(values, encoding))


def packed(name, **more):
    return (name, topics.COMPRESSED_TYPE, jpeg(0, **more))


def choose(tmp_path, messages, wanted=None):
    put(tmp_path / "bag", messages)
    with OpenBag(tmp_path / "bag") as bag:
        return choose_camera(bag, wanted)


TRANSPORTS = [
    packed("/cam/image_raw/compressed"),
    packed("/cam/image_raw/compressedDepth", data=b"", form=""),
    packed("/cam/image_raw/zstd", data=b""),
]


@pytest.mark.parametrize(
    ("wanted", "images"),
    [
        (None, "cam/image_raw"),
        ("/cam/image_raw", "cam/image_raw"),
        ("cam/image_raw/compressed", "cam/image_raw/compressed"),
        # A transport that can't be read stands for its camera.
        ("/cam/image_raw/compressedDepth", "cam/image_raw"),
    ],
)
def test_all_transports_are_one_camera(tmp_path, wanted, images):
    found = choose(tmp_path, [raw("/cam/image_raw"), *TRANSPORTS], wanted)
    assert found == Camera("cam/image_raw", images) and found.info == "cam/camera_info"


def test_without_raw_images_the_compressed_ones_are_read(tmp_path):
    assert choose(tmp_path, TRANSPORTS).images == "cam/image_raw/compressed"


REALSENSE = [
    raw("/camera/camera/color/image_raw"),
    raw("/camera/camera/depth/image_rect_raw", "16UC1"),
    raw("/camera/camera/aligned_depth_to_color/image_raw", "16UC1"),
    packed("/camera/camera/aligned_depth_to_color/image_raw/compressedDepth"),
]
ZED = [
    raw("/zed/zed_node/rgb/image_rect_color"),
    raw("/zed/zed_node/depth/depth_registered", "32FC1"),
    raw("/zed/zed_node/confidence/confidence_map", "32FC1"),
]
OAK = [raw("/oak/rgb/image_raw"), raw("/oak/stereo/image_raw", "16UC1")]
USB = [raw("/image_raw"), packed("/image_raw/compressed")]
GREY_DEPTH = [raw("/cam/infra1"), raw("/cam/aligned_depth_to_infra1/image_raw", "mono16")]
TRUTH = [raw("/cam/image"), raw("/ground_truth/labels", "mono8"), raw("/ground_truth/more")]


@pytest.mark.parametrize("messages", [REALSENSE, ZED, OAK, USB, GREY_DEPTH, TRUTH])
def test_the_camera_of_common_drivers_is_found_beside_depth_and_truth(tmp_path, messages):
    found = choose(tmp_path, messages)
    assert f"/{found.images}" == messages[0][0]


def test_what_a_node_of_ours_published_is_no_camera(tmp_path):
    outputs = [raw(f"/front_node/{name}") for name in ("dirty_tokens", "segmentation/mask")]
    found = choose(tmp_path, [raw("/front/image_raw"), raw("/front_node/depth/color"), *outputs])
    assert found.images == "front/image_raw"
    found = choose(tmp_path / "beside", [raw("/front_node_2/image_raw"), *outputs])
    assert found.images == "front_node_2/image_raw"


def test_depth_that_is_compressed_is_known_by_its_format(tmp_path):
    form = "16UC1; png compressed 16UC1"
    messages = [raw("/front/image"), packed("/lidar/range/compressed", form=form)]
    assert choose(tmp_path, messages).name == "front/image"


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1", "32FC3", "64FC1", "16SC1", "32SC1"])
def test_measurements_are_no_pictures(tmp_path, encoding):
    messages = [raw("/front/image"), raw("/lidar/map", encoding)]
    assert choose(tmp_path, messages).name == "front/image"


def test_calibration_lies_beside_the_images():
    assert Camera("image_raw", "image_raw").info == "camera_info"
    assert Camera("a/b/image", "a/b/image/compressed").info == "a/b/camera_info"


def test_the_project_s_own_topic_goes_first(tmp_path):
    found = choose(tmp_path, [raw("/rear/image"), raw("/camera/image")])
    assert found.images == topics.IMAGE


def test_who_has_to_choose_is_told_how_and_from_what(tmp_path):
    messages = [raw("/left/image_raw"), *TRANSPORTS, *REALSENSE[1:]]
    with pytest.raises(BagError) as error:
        choose(tmp_path, messages)
    assert str(error.value) == (
        f"bag {tmp_path / 'bag'}: 2 cameras; choose with --topic: /cam/image_raw, /left/image_raw"
    )


def test_who_chose_what_is_not_there_is_told_what_is(tmp_path):
    with pytest.raises(BagError) as error:
        choose(tmp_path, camera(frames=1), "/rear/image")
    assert str(error.value).endswith(
        "bag: no images on rear/image or rear/image/compressed; choose with --topic: /camera/image"
    )


def test_topics_without_messages_and_of_other_types_are_no_cameras(tmp_path):
    number = STORE.types["std_msgs/msg/Int32"](data=1)
    said = r"no images of a camera, such as camera/image; it has camera/image \(1 Int32\)"
    with pytest.raises(BagError, match=said):
        choose(tmp_path, [("/camera/image", "std_msgs/msg/Int32", number)])


def test_one_bad_message_does_not_hide_a_camera(tmp_path):
    broken = (topics.IMAGE, topics.RAW_TYPE, image(RGB, "rgb8", height=0))
    assert choose(tmp_path, [broken, raw("camera/image")]).name == topics.IMAGE
    put_cut(tmp_path / "cut", [raw("/front/image")] * 2, topics.RAW_TYPE)
    with OpenBag(tmp_path / "cut") as bag:
        assert choose_camera(bag).name == "front/image"
