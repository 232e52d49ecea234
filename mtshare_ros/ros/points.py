"""Depth, labels and colours as an organised point cloud."""

from __future__ import annotations

import sys
from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from mtshare_ros.perception.camera.calibration import Intrinsics

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
        self._intrinsics: Intrinsics | None = None
        self._rays = np.empty((0, 0, 2), np.float32)

    def pack(
        self,
        depth: NDArray[np.float32],
        labels: NDArray[np.uint8],
        colours: NDArray[np.uint8],
        intrinsics: Intrinsics,
        header: Header,
    ) -> PointCloud2:
        """Return the message; it holds until the next call.

        A pixel of depth z is the point (x z, y z, z) of the optical frame, where (x, y) is its
        ray, see ``Intrinsics.rays``. Where depth is NaN or no ray is known, so are the three
        coordinates.

        Args:
            depth: (H, W) float32 metres along the optical axis.
            labels: (H, W) uint8 class ids.
            colours: (H, W, 3) uint8 RGB.
            intrinsics: Those at that size.
            header: Header of the message (shared, not copied).
        """
        if self._points.shape != depth.shape:
            self._allocate(*depth.shape)
        xyz = self._points["xyz"]
        rays = self._rays_of(intrinsics)
        np.multiply(rays, depth[..., None], out=xyz[..., :2])
        # No coordinate is given alone: where there is no ray, depth has no place either.
        xyz[..., 2] = np.where(np.isnan(rays[..., 0]), rays[..., 0], depth)
        red, green, blue = (colours[..., n].astype(np.uint32) for n in range(3))
        self._points["rgb"] = (red << 16) | (green << 8) | blue
        self._points["label"] = labels
        self._message.header = header
        return self._message

    def _rays_of(self, intrinsics: Intrinsics) -> NDArray[np.float32]:
        if intrinsics != self._intrinsics:
            self._rays = intrinsics.rays()
            self._intrinsics = intrinsics
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
