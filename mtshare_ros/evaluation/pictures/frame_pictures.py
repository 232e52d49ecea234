"""The pictures of one frame as a report embeds them: small, and encoded at once."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from mtshare_ros.evaluation.outcome import Outcome, to_size
from mtshare_ros.evaluation.pictures import map_pictures
from mtshare_ros.evaluation.pictures.depth_colours import DepthColours, Levels, to_levels
from mtshare_ros.evaluation.pictures.map_pictures import Picture
from mtshare_ros.tasks import Task

LONGEST_SIDE = 320
"""Pixels of a picture; larger ones are made smaller."""

QUALITY, LOSSLESS = 80, 101
"""Quality of WebP, 0 to 100, and the value with which OpenCV writes it without loss."""

CAMERA, DIRTY = "camera", "dirty"


@dataclass(frozen=True)
class Encoded:
    """Pictures of one frame.

    Attributes:
        data: (``camera``, ``""``), (``dirty``, ``""``), and (task, ``prediction``, ``truth`` or
            ``error``) -> WebP.
        depth: The same keys -> levels of depth, which have no colours yet, as lossless WebP.
    """

    data: dict[tuple[str, str], bytes]
    depth: dict[tuple[str, str], bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(map(len, [*self.data.values(), *self.depth.values()]))

    def levels(self) -> Iterator[Levels]:
        """Yield the levels of all maps of depth."""
        return map(_decoded, self.depth.values())

    def sources(self, colours: DepthColours) -> dict[str, dict[str, str]]:
        """Return all pictures as ``src`` attributes, by name and by kind."""
        sources: dict[str, dict[str, str]] = {}
        depth = {key: _webp(colours.picture(_decoded(data))) for key, data in self.depth.items()}
        for (name, kind), data in (self.data | depth).items():
            text = base64.b64encode(data).decode()
            sources.setdefault(name, {})[kind] = f"data:image/webp;base64,{text}"
        return sources


def encode(tasks: Sequence[Task], outcome: Outcome) -> Encoded:
    """Return the pictures of a frame.

    Errors are computed at the truth's size, as in the metrics, and then made smaller by averaging.
    """
    shape = _shown_shape(outcome.rgb.shape)
    depth: dict[tuple[str, str], bytes] = {}
    data = {(CAMERA, ""): _webp(_smaller(outcome.rgb, shape))}
    if outcome.dirty is not None:
        picture = map_pictures.dirty_picture(_smaller(outcome.rgb, shape), outcome.dirty)
        data[DIRTY, ""] = _webp(picture)
    for task in tasks:
        prediction = outcome.predictions.get(task.name)
        if prediction is None:
            continue
        truth = outcome.truths.get(task.name)
        maps = {"prediction": prediction, **({} if truth is None else {"truth": truth})}
        legend = map_pictures.PICTURES[task.kind].legend
        for kind, values in maps.items():
            small = to_size(values, shape)
            if legend == "metres":
                depth[task.name, kind] = _webp(cv2.merge([to_levels(small)] * 3), LOSSLESS)
                continue
            # Colours of classes must not be mixed, and few colours compress well without loss.
            quality = LOSSLESS if legend == "classes" else QUALITY
            data[task.name, kind] = _webp(map_pictures.map_picture(task, small, 0.0), quality)
        if truth is None:
            continue
        error = map_pictures.error_picture(task, to_size(prediction, truth.shape[:2]), truth)
        data[task.name, "error"] = _webp(_smaller(error, shape))
    return Encoded(data, depth)


def _shown_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the height and width of an image's pictures."""
    factor = min(1.0, LONGEST_SIDE / max(shape[:2]))
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def _smaller(picture: Picture, shape: tuple[int, int]) -> Picture:
    if picture.shape[:2] == shape:
        return picture
    smaller = cv2.resize(picture, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, np.uint8)


def _decoded(data: bytes) -> Levels:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return np.ascontiguousarray(np.asarray(picture, np.uint8)[..., 0])


def _webp(picture: Any, quality: int = QUALITY) -> bytes:
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, quality])
    return data.tobytes()
