"""Settings of a teacher: the YAML file beside its ONNX file says what it takes and gives."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from mtshare_ros.datasets.image_sets.axes import parse_axes
from mtshare_ros.datasets.labelling.kind_labels import KIND_LABELS
from mtshare_ros.errors import UserError
from mtshare_ros.settings import KindName, Strict, load_settings
from mtshare_ros.tasks import KINDS, UNLABELLED

LONGEST_SIDE = 8192
"""Longest side of the image that a teacher may take, in pixels."""
MOST_IDS = 1 << 16
"""Bound on the ids that a teacher's classes may have."""


class TeacherError(UserError):
    """A teacher can't be used; the message names its file, what was found and was expected."""


class TeacherInput(Strict):
    """The tensor that a teacher takes: (value * scale - mean) / std of each pixel, one image.

    Attributes:
        name: Its name; by default the only one.
        size: Width and height that the image is stretched to.
        layout: ``nchw`` or ``nhwc``.
        colour: Order of the channels.
        scale: Factor on 0 to 255.
        mean: Of each channel, after the scale.
        std: Of each channel.
    """

    name: str | None = None
    size: tuple[int, int]
    layout: Literal["nchw", "nhwc"] = "nchw"
    colour: Literal["rgb", "bgr"] = "rgb"
    scale: float = Field(default=1 / 255, gt=0)
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


class TeacherOutput(Strict):
    """The tensor that a teacher gives.

    Attributes:
        name: Its name; by default the first one.
        means: What the numbers mean: one of the kind's ``meanings``, see ``kind_labels``.
        layout: Where the channels are, if there are several: ``nchw`` or ``nhwc``.
        scale: Factor that turns the teacher's unit of depth into metres.
        axes: Axes of normals, as in ``image_sets.axes``.
        range: Nearest and farthest depth that is a label, in metres.
    """

    name: str | None = None
    means: str
    layout: Literal["nchw", "nhwc"] = "nchw"
    scale: float = Field(default=1.0, gt=0)
    axes: str = "x y z"
    range: tuple[float, float] = (0.1, 20.0)


class TeacherSettings(Strict):
    """A teacher.

    Attributes:
        kind: Kind of its task.
        input: What it takes.
        output: What it gives.
        classes: For segmentation: name -> ids of the teacher that it stands for. Other ids become
            unlabelled. The data set numbers the classes in the order of the names.
        least_confidence: Smallest confidence that counts in training, 0 to 1; less certain labels
            are ignored.
    """

    kind: KindName
    input: TeacherInput
    output: TeacherOutput
    classes: dict[str, tuple[int, ...]] = {}
    least_confidence: float = Field(default=0.5, ge=0, le=1)

    @model_validator(mode="after")
    def _fits(self) -> TeacherSettings:
        meanings = KIND_LABELS[self.kind].meanings
        if self.output.means not in meanings:
            raise ValueError(
                f"output means {self.output.means!r}: expected one of {', '.join(meanings)}"
            )
        if KINDS[self.kind].has_classes != bool(self.classes):
            raise ValueError("classes: expected with kind segmentation, and only there")
        if not all(self.classes.values()):
            raise ValueError(f"classes {self.classes}: expected an id or more of each")
        ids = [number for numbers in self.classes.values() for number in numbers]
        if len(set(ids)) < len(ids) or any(number < 0 for number in ids):
            raise ValueError(f"classes: ids {ids}; expected each once, from 0 up")
        if len(self.classes) > UNLABELLED:
            raise ValueError(f"{len(self.classes)} classes, expected up to {UNLABELLED}")
        if ids and max(ids) >= MOST_IDS:
            raise ValueError(f"classes: id {max(ids)}; expected less than {MOST_IDS}")
        if not all(1 <= side <= LONGEST_SIDE for side in self.input.size):
            raise ValueError(f"input size {self.input.size}: expected 1 to {LONGEST_SIDE}")
        if not all(part > 0 for part in self.input.std):
            raise ValueError(f"input std {self.input.std}: expected numbers above 0")
        if not 0 < self.output.range[0] < self.output.range[1]:
            raise ValueError(f"range {self.output.range}: expected two depths, nearest first")
        parse_axes(self.output.axes)
        return self


def load_teacher_settings(model: Path) -> TeacherSettings:
    """Read the YAML file beside an ONNX file: the same name with the suffix ``.yaml``.

    Raises:
        TeacherError: One of the files is missing, or a key or value is wrong.
    """
    if not model.is_file():
        raise TeacherError(f"{model}: not found; expected an ONNX file")
    path = model.with_suffix(".yaml")
    if not path.is_file():
        raise TeacherError(f"{path}: not found; expected what {model.name} takes and gives")
    return load_settings(path, TeacherSettings, TeacherError)


def parse_teachers(texts: list[str]) -> dict[str, Path]:
    """Return task -> ONNX file, from texts such as ``depth=X.onnx``.

    Raises:
        TeacherError: A text is not TASK=FILE, or two texts name the same task.
    """
    teachers: dict[str, Path] = {}
    for text in texts:
        name, equals, model = text.partition("=")
        if not (equals and model and name.isidentifier() and name.islower()):
            raise TeacherError(f"--teacher {text!r}: expected TASK=FILE, as depth=X.onnx")
        if name in teachers:
            raise TeacherError(f"--teacher {text!r}: {name} has {teachers[name]} already")
        teachers[name] = Path(model)
    return teachers
