"""Runs a teacher on an image: labels at the image's size, with their confidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mtshare_ros.datasets.image_sets.axes import parse_axes
from mtshare_ros.datasets.labelling.kind_labels import KIND_LABELS, Labels, RawOutput
from mtshare_ros.datasets.labelling.teacher_settings import TeacherError, load_teacher_settings

Array = NDArray[Any]
Image = NDArray[np.uint8]


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
        self._output = self.settings.output.name or next(iter(outputs), "one map")
        if self._output not in outputs:
            raise TeacherError(
                f"{model}: outputs {', '.join(outputs)}; expected {self._output}, as its YAML says"
            )
        self._input = self._session.get_inputs()[0]

    def __call__(self, rgb: Image) -> Labels:
        """Label an image (H, W, 3).

        The confidence of classes, boundaries and salient things is what the teacher states. That
        of depth and normals is how well it agrees with itself on the mirrored image.

        Raises:
            TeacherError: The model fails, or its output is not what its YAML says.
        """
        kind = KIND_LABELS[self.settings.kind]
        values, confidence = self._label(rgb)
        if kind.agreement is not None:
            mirrored = self._label(np.ascontiguousarray(rgb[:, ::-1]))[0][:, ::-1]
            confidence = kind.agreement(values, mirrored)
        return Labels(values, confidence)

    def _label(self, rgb: Image) -> tuple[Array, NDArray[np.float32]]:
        """Return the values of the labels and the confidence that the output itself states."""
        settings, output = self.settings, self.settings.output
        raw = RawOutput(
            self._run(rgb),
            size=(rgb.shape[1], rgb.shape[0]),
            means=output.means,
            layout=output.layout,
            scale=output.scale,
            axes=parse_axes(output.axes),
            range=output.range,
            classes=tuple(settings.classes.values()),
        )
        try:
            return KIND_LABELS[settings.kind].read(raw)
        except ValueError as error:
            raise self._unexpected(str(error)) from error

    def _run(self, rgb: Image) -> Array:
        """Return the output for one image, without the batch."""
        settings = self.settings.input
        height, width = rgb.shape[:2]
        shrinks = width > settings.size[0] and height > settings.size[1]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(rgb, settings.size, interpolation=method), np.float32)
        if settings.colour == "bgr":
            image = image[..., ::-1]
        image = (image * settings.scale - np.array(settings.mean)) / np.array(settings.std)
        if settings.layout == "nchw":
            image = image.transpose(2, 0, 1)
        dtype = np.float16 if "float16" in self._input.type else np.float32
        batch = np.ascontiguousarray(image[None], dtype)
        try:
            (raw,) = self._session.run([self._output], {self._input.name: batch})
        except Exception as error:  # ONNX Runtime raises classes of its own per cause
            raise TeacherError(f"{self.model}: {_first_line(error)}") from error
        if not isinstance(raw, np.ndarray) or raw.dtype.kind not in "biuf" or not raw.size:
            raise self._unexpected("no tensor of numbers; expected one")
        if raw.ndim < 2 or (raw.ndim > 2 and raw.shape[0] != 1):
            raise self._unexpected(f"{raw.shape}; expected one image")
        if raw.dtype.kind == "f" and not np.isfinite(raw).all():
            raise self._unexpected("values that are not finite; expected numbers")
        return np.asarray(raw[0] if raw.ndim > 2 else raw)

    def _unexpected(self, what: str) -> TeacherError:
        return TeacherError(f"{self.model}: output {self._output}: {what}")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
