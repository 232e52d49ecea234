"""The organised point cloud, depth in millimetres, labels as messages."""

import sys
import types
from dataclasses import replace

import numpy as np
import pytest
from sensor_msgs.msg import PointField
from std_msgs.msg import Header

from mtshare_ros.perception.camera.calibration import Intrinsics
from mtshare_ros.ros.frame_result import label_info
from mtshare_ros.ros.kind_outputs import millimetres
from mtshare_ros.ros.points import POINT, CloudPacker
from mtshare_ros.tasks import ROOM_CLASSES, SEGMENTATION

INTRINSICS = Intrinsics(4, 3, fx=2.0, fy=4.0, cx=1.5, cy=1.0, source="P")
SIZES = {PointField.FLOAT32: "f4", PointField.UINT32: "u4"}


def read(cloud):
    """Return name -> (H, W) of a cloud, read by what its fields say."""
    dtype = np.dtype(
        {
            "names": [f.name for f in cloud.fields],
            "formats": [SIZES[f.datatype] for f in cloud.fields],
            "offsets": [f.offset for f in cloud.fields],
            "itemsize": cloud.point_step,
        }
    )
    points = np.frombuffer(cloud.data, dtype).reshape(cloud.height, cloud.width)
    assert cloud.row_step == cloud.width * cloud.point_step
    return {name: points[name] for name in dtype.names}


def pack(packer, seed=0, shape=(3, 4), intrinsics=INTRINSICS):
    random = np.random.default_rng(seed)
    depth = random.uniform(0.5, 5.0, shape).astype(np.float32)
    depth[1, 2] = np.nan
    labels = random.integers(0, 256, shape, np.uint8)
    colours = random.integers(0, 256, (*shape, 3), np.uint8)
    return depth, labels, colours, packer.pack(depth, labels, colours, intrinsics, Header())


def test_a_pixel_is_the_point_that_a_pinhole_camera_sees_there():
    depth, labels, colours, cloud = pack(CloudPacker())
    found = read(cloud)
    assert list(found) == ["x", "y", "z", "rgb", "label"] and not cloud.is_dense
    for v in range(3):
        for u in range(4):
            z = depth[v, u]
            expected = [(u - 1.5) / 2.0 * z, (v - 1.0) / 4.0 * z, z]
            point = [found[axis][v, u] for axis in "xyz"]
            assert point == pytest.approx(expected, rel=1e-6, nan_ok=True), (u, v)
            assert found["label"][v, u] == labels[v, u]
            packed = found["rgb"][v, u].tobytes()
            assert tuple(packed[2::-1]) == tuple(colours[v, u]) and packed[3] == 0


def test_where_depth_is_invalid_the_point_is():
    found = read(pack(CloudPacker())[-1])
    assert all(np.isnan(found[axis][1, 2]) for axis in "xyz")
    assert np.isfinite(found["z"]).sum() == 11


def test_a_packer_keeps_its_memory_and_follows_size_and_camera():
    packer = CloudPacker()
    first = pack(packer)[-1]
    memory = first.data
    depth, *_, second = pack(packer, seed=1)
    assert second.data is memory
    assert (read(second)["z"] == depth)[~np.isnan(depth)].all()
    twice = INTRINSICS.at_size(8, 3)
    depth, *_, wide = pack(packer, shape=(3, 8), intrinsics=twice)
    assert (wide.height, wide.width, len(wide.data)) == (3, 8, 24 * POINT.itemsize)


@pytest.mark.parametrize("changed", ["fx", "fy", "cx", "cy"])
def test_a_packer_follows_every_number_of_a_camera_that_is_calibrated_anew(changed):
    packer = CloudPacker()
    pack(packer)
    other = replace(INTRINSICS, **{changed: getattr(INTRINSICS, changed) + 0.5})
    depth, *_, moved = pack(packer, intrinsics=other)
    for axis, value in (("x", (3 - other.cx) / other.fx), ("y", (2 - other.cy) / other.fy)):
        assert read(moved)[axis][2, 3] == pytest.approx(value * depth[2, 3], rel=1e-5)


def lens(k1, k2):
    """Return the intrinsics of raw images of 64x48."""
    distortion = (k1, k2, 0.0, 0.0, 0.0)
    return Intrinsics(64, 48, 40.0, 40.0, 32.0, 24.0, "K", d=distortion, model="plumb_bob")


def test_a_pixel_that_no_ray_reaches_has_no_point():
    raw = lens(-0.9, 0.3)
    found = read(pack(CloudPacker(), shape=(48, 64), intrinsics=raw)[-1])
    assert all(np.isnan(found[axis][0, 0]) for axis in "xyz")
    assert all(np.isfinite(found[axis][24, 32]) for axis in "xyz")


def test_distortion_of_raw_images_is_undone():
    raw = lens(-0.1, 0.0)
    found = read(pack(CloudPacker(), shape=(48, 64), intrinsics=raw)[-1])
    ray = np.array([found["x"][4, 60], found["y"][4, 60]]) / found["z"][4, 60]
    radius = ray @ ray
    assert ray * (1 - 0.1 * radius) * 40 + (32, 24) == pytest.approx((60, 4), abs=0.02)


def test_millimetres_round_and_are_zero_where_depth_is_invalid_or_too_far():
    depth = np.array([[0.0004, 0.0006, 1.2345, 65.535, 65.536, np.nan, np.inf]], np.float32)
    assert millimetres(depth).tolist() == [[0, 1, 1234, 65535, 0, 0, 0]]
    assert millimetres(depth).dtype == np.uint16


def test_label_info_has_every_class_where_vision_msgs_is_installed(monkeypatch):
    class Message(types.SimpleNamespace):
        def __init__(self, **fields):
            super().__init__(header=Header(), **fields)

    stand_in = types.SimpleNamespace(LabelInfo=Message, VisionClass=Message)
    monkeypatch.setitem(sys.modules, "vision_msgs", types.SimpleNamespace(msg=stand_in))
    monkeypatch.setitem(sys.modules, "vision_msgs.msg", stand_in)
    stamp = Header().stamp
    found = label_info(SEGMENTATION, stamp)
    assert found.header.stamp is stamp
    assert [(c.class_id, c.class_name) for c in found.class_map] == [
        (number, c.name) for number, c in enumerate(ROOM_CLASSES)
    ]


def test_there_is_no_label_info_without_vision_msgs(monkeypatch):
    monkeypatch.setitem(sys.modules, "vision_msgs.msg", None)
    assert label_info(SEGMENTATION, Header().stamp) is None
