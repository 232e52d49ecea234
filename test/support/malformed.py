"""Messages that a broken driver may send: each is dropped or passed over, by its name."""

from __future__ import annotations

from array import array

from sensor_msgs.msg import CameraInfo, Image

NAN, INFINITY = float("nan"), float("inf")
HUGE = 2**32 - 1


def _image(encoding="rgb8", width=160, height=120, step=None, size=None):
    step = 3 * width if step is None else step
    size = step * height if size is None else size
    return Image(
        encoding=encoding,
        width=width,
        height=height,
        step=step,
        data=array("B", bytes(min(size, 1 << 20))),
    )


def _floats(value):
    message = _image("32FC1", step=4 * 160)
    message.data = array("B", array("f", [value] * 160 * 120).tobytes())
    return message


IMAGES = {
    "nothing": Image(),
    "no encoding": _image(""),
    "unknown encoding": _image("secret"),
    "upper case": _image("RGB8"),
    "long encoding": _image("x" * 500),
    "encoding with a line break": _image("rgb8\n"),
    "encoding of a compressed image": _image("jpeg"),
    "planar yuv without colour": _image("nv12", step=160),
    "colours without names": _image("8UC3"),
    "seven channels": _image("16UC7"),
    "depth of NaN": _floats(NAN),
    "depth of infinity": _floats(INFINITY),
    "doubles": _image("64FC1", step=8 * 160),
    "no width": _image(width=0),
    "no height": _image(height=0),
    "one pixel": _image(width=1, height=1),
    "too small": _image(width=12, height=12),
    "too narrow": _image(width=15, height=120),
    "too flat": _image(width=160, height=15),
    "claims 65535x65535": _image(width=65535, height=65535, size=48),
    "claims 16384x16384": _image(width=16384, height=16384, size=48),
    "claims one endless row": _image(width=HUGE, height=1, step=HUGE, size=48),
    "claims endless rows": _image(width=16, height=HUGE, size=48),
    "size that overflows 32 bits": _image(width=65537, height=65537, step=1, size=48),
    "no step": _image(step=0, size=160 * 120 * 3),
    "step of one byte less": _image(step=479, size=160 * 120 * 3),
    "step of mono": _image(step=160),
    "endless step": _image(step=HUGE, size=48),
    "step that data don't have": _image(step=481, size=480 * 120),
    "no data": _image(size=0),
    "one byte short": _image(size=160 * 120 * 3 - 1),
    "one row short": _image(size=160 * 119 * 3),
    "half of it": _image("bgr8", size=160 * 60 * 3),
    "three channels for four": _image("rgba8", step=640, size=160 * 120 * 3),
    "mono for yuv": _image("yuv422", step=320, size=160 * 120),
    "yuv of an odd width": _image("yuyv", width=161, step=322),
    "8 bits for 16": _image("mono16", step=320, size=160 * 120),
}
"""Images that can't be read."""


def _info(width=160, height=120, fx=150.0, fy=150.0, cx=80.0, cy=60.0, **fields):
    return CameraInfo(
        width=width, height=height, k=[fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0], **fields
    )


GOOD_INFO = _info()
INFOS = {
    "nothing": CameraInfo(),
    "not calibrated": CameraInfo(width=160, height=120),
    "no size": _info(width=0, height=0),
    "another size": _info(width=640, height=480),
    "sides swapped": _info(width=120, height=160),
    "absurd size": _info(width=HUGE, height=HUGE),
    "fx NaN": _info(fx=NAN),
    "fy NaN": _info(fy=NAN),
    "fx infinite": _info(fx=INFINITY),
    "fx negative": _info(fx=-150.0),
    "fy zero": _info(fy=0.0),
    "fx of metres": _info(fx=1e6),
    "fx next to nothing": _info(fx=5e-324),
    "cx NaN": _info(cx=NAN),
    "cy infinite": _info(cy=-INFINITY),
    "binned": _info(binning_x=2, binning_y=2),
    "identity": _info(fx=1.0, fy=1.0, cx=0.0, cy=0.0),
    "P of NaN": _info(p=[NAN] * 12),
}
"""CameraInfos that don't describe an image of 160x120."""
