"""Depth, labels and colours as an organised point cloud."""

from __future__ import annotations

import sys
from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, PointCloud2, PointField
from std_msgs.msg import Header

POINT = np.dtype([("xyz", np.float32, 3), ("rgb", np.uint32), ("label", np.uint32)])
"""One point; names and packing of colour and label are those of PCL's ``PointXYZRGBL``."""


def fields() -> list[PointField]:
    """Return the description of ``POINT`` in messages."""
    kinds = {"x": PointField.FLOAT32, "y": PointField.FLOAT32, "z": PointField.FLOAT32}
    # Colour is packed into the bytes of a float: so PCL and rviz look for it.
    kinds.update(rgb=PointField.FLOAT32, label=PointField.UINT32)
    return [
        PointField(name=name, offset=4 * place, datatype=kind, count=1)
        for place, (name, kind) in enumerate(kinds.items())
    ]


class CloudPacker:
    """Packs frames into one PointCloud2 message, whose memory it keeps."""

    def __init__(self) -> None:
        """Make an empty message."""
        self._message = PointCloud2()
        self._points = np.empty((0, 0), POINT)
        self._camera: tuple[float, ...] = ()
        self._rays = np.empty((0, 0, 2), np.float32)

    def pack(
        self,
        depth: NDArray[np.float32],
        labels: NDArray[np.uint8],
        colours: NDArray[np.uint8],
        info: CameraInfo,
        header: Header,
    ) -> PointCloud2:
        """Return the message; it holds until the next call.

        A pixel (u, v) of depth z is the point ((u - cx) z / fx, (v - cy) z / fy, z) of the
        optical frame: a pinhole camera, lens distortion is not undone. Where depth is NaN, so are
        the three coordinates.

        Args:
            depth: (H, W) float32 metres along the optical axis.
            labels: (H, W) uint8 class ids.
            colours: (H, W, 3) uint8 RGB.
            info: Intrinsics at that size.
            header: Header of the message (shared, not copied).
        """
        if self._points.shape != depth.shape:
            self._allocate(*depth.shape)
        xyz = self._points["xyz"]
        np.multiply(self._rays_of(info, depth.shape), depth[..., None], out=xyz[..., :2])
        xyz[..., 2] = depth
        red, green, blue = (colours[..., n].astype(np.uint32) for n in range(3))
        self._points["rgb"] = (red << 16) | (green << 8) | blue
        self._points["label"] = labels
        self._message.header = header
        return self._message

    def _rays_of(self, info: CameraInfo, shape: tuple[int, ...]) -> NDArray[np.float32]:
        fx, _, cx, _, fy, cy = (float(value) for value in info.k[:6])
        camera = (fx, fy, cx, cy, *shape)
        if camera != self._camera:
            rows, columns = np.indices(shape[:2], np.float32)
            self._rays = np.stack([(columns - cx) / fx, (rows - cy) / fy], axis=-1)
            self._rays = self._rays.astype(np.float32)
            self._camera = camera
        return self._rays

    def _allocate(self, height: int, width: int) -> None:
        data = array("B", bytes(height * width * POINT.itemsize))
        self._message = PointCloud2(
            height=height,
            width=width,
            fields=fields(),
            is_bigendian=sys.byteorder == "big",
            point_step=POINT.itemsize,
            row_step=width * POINT.itemsize,
            is_dense=False,
            data=data,
        )
        # The message's own array: some releases copy the one they are given.
        memory: Any = np.frombuffer(self._message.data, POINT)
        self._points = memory.reshape(height, width)
