"""Runs a teacher on an image: labels at the image's size, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mtshare_ros.datasets.image_sets.axes import parse_axes
from mtshare_ros.datasets.labelling.teacher_settings import TeacherError, load_teacher_settings
from mtshare_ros.tasks import UNLABELLED

Array = NDArray[Any]
Image = NDArray[np.uint8]

APART_DEPTH = 0.25
"""Relative difference between an image and its mirror image at which depth is not sure at all."""
APART_DEG = 45.0
"""The same for normals, in degrees."""


@dataclass(frozen=True)
class Labels:
    """What a teacher says of an image.

    Attributes:
        values: As ``image_sets.interface.Sample`` has the truth of its kind; boundary and
            saliency are probabilities, 0 to 1.
        confidence: (H, W) float32, 0 to 1.
    """

    values: Array
    confidence: NDArray[np.float32]


class Teacher:
    """A network of the user's own that labels images for one task."""

    def __init__(self, name: str, model: Path, threads: int = 2) -> None:
        """Open an ONNX file and the YAML file beside it.

        Args:
            name: Name of the task.
            model: The ONNX file.
            threads: CPU threads.

        Raises:
            TeacherError: A file is missing or wrong, or the model has no such input or output.
        """
        self.name, self.model = name, model
        self.settings = load_teacher_settings(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(model), options, providers=onnxruntime.get_available_providers()
            )
        except Exception as error:  # ONNX Runtime raises classes of its own per cause
            raise TeacherError(f"{model}: can't be opened: {_first_line(error)}") from error
        inputs = [item.name for item in self._session.get_inputs()]
        outputs = [item.name for item in self._session.get_outputs()]
        wanted = self.settings.input.name or (inputs[0] if len(inputs) == 1 else None)
        if wanted not in inputs or len(inputs) > 1:
            raise TeacherError(
                f"{model}: inputs {', '.join(inputs)}; expected one image, {wanted}"
            )
        self._output = self.settings.output.name or outputs[0]
        if self._output not in outputs:
            raise TeacherError(
                f"{model}: outputs {', '.join(outputs)}; expected {self._output}, as its YAML says"
            )
        self._input = self._session.get_inputs()[0]

    def __call__(self, rgb: Image) -> Labels:
        """Label an image (H, W, 3).

        Depth and normals are as sure as the teacher agrees with itself on the mirrored image;
        classes, boundaries and salient things as it says.

        Raises:
            TeacherError: The model fails, or its output is not what its YAML says.
        """
        values, confidence = self._label(rgb)
        if self.settings.kind == "depth":
            mirrored = self._label(np.ascontiguousarray(rgb[:, ::-1]))[0][:, ::-1]
            with np.errstate(invalid="ignore"):
                apart = np.abs(mirrored - values) / np.minimum(mirrored, values) / APART_DEPTH
            confidence = _sure(apart)
        elif self.settings.kind == "normals":
            mirrored = self._label(np.ascontiguousarray(rgb[:, ::-1]))[0][:, ::-1]
            cosine = (mirrored * np.array([-1, 1, 1], np.float32) * values).sum(-1)
            confidence = _sure(np.degrees(np.arccos(np.clip(cosine, -1, 1))) / APART_DEG)
        return Labels(values, confidence)

    def _label(self, rgb: Image) -> tuple[Array, NDArray[np.float32]]:
        """Return labels and what the output itself says of their confidence."""
        raw = self._run(rgb)
        size = (rgb.shape[1], rgb.shape[0])
        kind, output = self.settings.kind, self.settings.output
        everywhere = np.ones(rgb.shape[:2], np.float32)
        if kind == "segmentation":
            return self._classes(raw, size)
        if kind == "normals":
            vectors = cv2.resize(self._channels(raw, 3), size, interpolation=cv2.INTER_LINEAR)
            length = np.linalg.norm(vectors, axis=-1, keepdims=True)
            normals = np.where(length > 1e-6, vectors / np.maximum(length, 1e-6), 0)
            return (normals @ parse_axes(output.axes).T).astype(np.float32), everywhere
        plane = cv2.resize(self._channels(raw, 1), size, interpolation=cv2.INTER_LINEAR)
        if kind == "depth":
            return self._metres(plane), everywhere
        share = 1 / (1 + np.exp(-plane)) if output.means == "logits" else plane
        if not (share.min() >= -1e-3 and share.max() <= 1.001):
            raise self._unexpected(f"{share.min():g} to {share.max():g}", "probabilities, 0 to 1")
        return np.clip(share, 0, 1), np.abs(2 * share - 1).astype(np.float32)

    def _run(self, rgb: Image) -> Array:
        """Return the output for one image, without the batch."""
        said = self.settings.input
        height, width = rgb.shape[:2]
        shrinks = width > said.size[0] and height > said.size[1]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(rgb, said.size, interpolation=method), np.float32)
        if said.colour == "bgr":
            image = image[..., ::-1]
        image = (image * said.scale - np.array(said.mean)) / np.array(said.std)
        if said.layout == "nchw":
            image = image.transpose(2, 0, 1)
        kind = np.float16 if "float16" in self._input.type else np.float32
        batch = np.ascontiguousarray(image[None], kind)
        try:
            (raw,) = self._session.run([self._output], {self._input.name: batch})
        except Exception as error:  # ONNX Runtime raises classes of its own per cause
            raise TeacherError(f"{self.model}: {_first_line(error)}") from error
        if raw.ndim < 2 or (raw.ndim > 2 and raw.shape[0] != 1):
            raise self._unexpected(str(raw.shape), "one image")
        if raw.dtype.kind == "f" and not np.isfinite(raw).all():
            raise self._unexpected("values that are not finite", "numbers")
        return np.asarray(raw[0] if raw.ndim > 2 else raw)

    def _channels(self, raw: Array, count: int) -> NDArray[np.float32]:
        """Return (h, w) for one channel, else (h, w, count)."""
        if count == 1 and raw.ndim == 2:
            return raw.astype(np.float32)
        axis = 0 if self.settings.output.layout == "nchw" else -1
        if raw.ndim != 3 or raw.shape[axis] != count:
            raise self._unexpected(
                str(raw.shape), f"{count} channels in layout {self.settings.output.layout}"
            )
        moved = np.ascontiguousarray(np.moveaxis(raw, axis, -1), np.float32)
        return moved[..., 0] if count == 1 else moved

    def _metres(self, plane: Array) -> NDArray[np.float32]:
        output = self.settings.output
        with np.errstate(divide="ignore", over="ignore"):
            if output.means == "log_metres":
                plane = np.exp(plane)
            elif output.means == "inverse_metres":
                plane = 1 / plane
        depth = plane * np.float32(output.scale)
        near, far = output.range
        return np.where((depth >= near) & (depth <= far), depth, np.nan).astype(np.float32)

    def _classes(
        self, raw: Array, size: tuple[int, int]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        groups = list(self.settings.classes.values())
        largest = max(max(ids) for ids in groups)
        if self.settings.output.means == "ids":
            plane = np.squeeze(raw)
            if plane.ndim != 2:
                raise self._unexpected(str(raw.shape), "one id per pixel")
            table = np.full(max(int(plane.max()), largest) + 1, UNLABELLED, np.uint8)
            for number, ids in enumerate(groups):
                table[list(ids)] = number
            found = cv2.resize(
                table[plane.astype(np.int64)], size, interpolation=cv2.INTER_NEAREST_EXACT
            )
            return np.asarray(found, np.uint8), np.ones(size[::-1], np.float32)
        axis = 0 if self.settings.output.layout == "nchw" else -1
        scores = np.moveaxis(raw, axis, 0).astype(np.float32) if raw.ndim == 3 else raw
        if raw.ndim != 3 or len(scores) <= largest:
            raise self._unexpected(str(raw.shape), f"more than {largest} channels, one per id")
        if self.settings.output.means == "logits":
            scores = np.exp(scores - scores.max(0))
            scores /= scores.sum(0)
        known = [scores[list(ids)].sum(0) for ids in groups]
        other = 1 - np.sum(known, axis=0)
        planes = np.stack(
            [cv2.resize(p, size, interpolation=cv2.INTER_LINEAR) for p in (*known, other)]
        )
        labels = planes.argmax(0)
        sure = planes.max(0).astype(np.float32)
        return np.where(labels == len(groups), UNLABELLED, labels).astype(np.uint8), np.clip(
            sure, 0, 1
        )

    def _unexpected(self, found: str, expected: str) -> TeacherError:
        return TeacherError(f"{self.model}: output {self._output}: {found}; expected {expected}")


def _sure(apart: Array) -> NDArray[np.float32]:
    """Return 1 where nothing is apart, 0 from 1 on or where it can't be told."""
    return np.nan_to_num(1 - np.minimum(apart, 1), nan=0.0).astype(np.float32)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
