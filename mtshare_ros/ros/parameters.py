"""The node's parameters: one table that makes descriptors, validation and documentation."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

from mtshare_ros.errors import UserError
from mtshare_ros.perception.camera.calibration import AUTO, WISHES
from mtshare_ros.perception.engines import BACKENDS, PRECISIONS

NEXT_FRAME = "next frame"
CONFIGURE = "configure"
START = "start"
ALL_TASKS = "all"


MAX_CAMERAS = 16


def are_camera_names(names: list[str]) -> bool:
    """Whether these name some cameras, or are one empty name: a single camera without one."""
    if names == [""]:
        return True
    named = all(re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name) for name in names)
    return named and len(set(names)) == len(names) <= MAX_CAMERAS


def are_rates(rates: list[str]) -> bool:
    """Whether these are TASK:FRAMES, each task once."""
    tasks = [rate.partition(":")[0] for rate in rates]
    shaped = all(re.fullmatch(r"[a-z][a-z0-9_]{0,63}:[1-9][0-9]{0,3}", rate) for rate in rates)
    return shaped and len(set(tasks)) == len(tasks)


class ParameterError(UserError):
    """A parameter's value can't be taken; says what was found and what was expected."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of the node.

    Attributes:
        name: Its name.
        default: Its default; its type is the parameter's type.
        description: What it does, for descriptors and documentation.
        holds_from: When a change takes effect: ``NEXT_FRAME``, or fixed after ``CONFIGURE`` or
            ``START``.
        choices: Values of a string parameter, or empty for any.
        range: Smallest and largest number, or None.
        rule: Further condition on the value.
        rule_words: The same, in words.
    """

    name: str
    default: Any
    description: str
    holds_from: str = NEXT_FRAME
    choices: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
    rule: Callable[[Any], bool] | None = None
    rule_words: str = ""

    @property
    def type_name(self) -> str:
        """Name of the type in ROS parameters."""
        if isinstance(self.default, list):
            return "string_array"
        return {bool: "bool", int: "integer", float: "double", str: "string"}[type(self.default)]

    @property
    def constraint(self) -> str:
        """Values that are taken, in words."""
        if self.choices:
            return ", ".join(self.choices)
        if self.range is not None:
            return f"{self.range[0]:g} to {self.range[1]:g}"
        return self.rule_words

    def descriptor(self) -> ParameterDescriptor:
        """Return the descriptor that tools like ``ros2 param describe`` show."""
        # Types are checked here, in ``check``: rclpy would refuse ``max_depth:=10`` for a double.
        descriptor = ParameterDescriptor(
            name=self.name,
            description=self.description,
            additional_constraints=self.constraint,
            dynamic_typing=True,
        )
        if self.range is not None and isinstance(self.default, int):
            limits = {"from_value": int(self.range[0]), "to_value": int(self.range[1])}
            descriptor.integer_range = [IntegerRange(**limits)]
        elif self.range is not None:
            low, high = self.range
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        return descriptor

    def check(self, value: Any) -> Any:
        """Return a value as this parameter's type.

        Raises:
            ParameterError: It is of another type, out of range or not among the choices.
        """
        value = self._of_type(value)
        if self.range is not None and not self.range[0] <= value <= self.range[1]:
            raise ParameterError(f"{self.name} is {value}; expected {self.constraint}")
        if self.choices and value not in self.choices:
            raise ParameterError(f"{self.name} is {value!r}; expected one of {self.constraint}")
        if self.rule is not None and not self.rule(value):
            raise ParameterError(f"{self.name} is {value!r}; expected {self.constraint}")
        return value

    def _of_type(self, value: Any) -> Any:
        expected = type(self.default)
        if expected is float and type(value) is int:
            return float(value)
        if expected is list and isinstance(value, (list, tuple)):
            if value and all(isinstance(item, str) for item in value):
                return list(value)
            raise ParameterError(f"{self.name} is {list(value)}; expected one or more names")
        if type(value) is not expected or (expected is float and not math.isfinite(value)):
            article = "an" if self.type_name == "integer" else "a"
            raise ParameterError(f"{self.name} is {value!r}; expected {article} {self.type_name}")
        return value


TABLE = (
    Parameter(
        "bundle",
        "",
        "Folder of the model bundle. Empty: `models/room` as installed with this package.",
        CONFIGURE,
    ),
    Parameter(
        "backend",
        "auto",
        "Engine that runs the bundle; `auto` is the first of them that can be used here.",
        CONFIGURE,
        choices=BACKENDS,
    ),
    Parameter(
        "precision",
        "fp16",
        "What a GPU computes in; fp32 where fp16 fails the bundle's self-test.",
        CONFIGURE,
        choices=PRECISIONS,
    ),
    Parameter("threads", 2, "CPU threads of the engine.", CONFIGURE, range=(1, 256)),
    Parameter(
        "image_transport",
        "raw",
        "What to subscribe to: Image on `image`, or CompressedImage on `image/compressed`.",
        CONFIGURE,
        choices=("raw", "compressed"),
    ),
    Parameter(
        "intrinsics",
        AUTO,
        "Which matrix of `camera_info` describes the images: `p` that of rectified ones, `k` that "
        "of raw ones. `auto` is `k` where the topic's last name is `image_raw`, `image_color` or "
        "`image_mono`, else `p`; where that matrix is all zero, the other.",
        NEXT_FRAME,
        choices=WISHES,
    ),
    Parameter(
        "cameras",
        [""],
        "Names of the cameras that share the engine. Each has `<name>/image` and "
        "`<name>/camera_info` in and `~/<name>/...` out. One empty name: a single camera, whose "
        "topics have no such prefix.",
        CONFIGURE,
        rule=are_camera_names,
        rule_words=f"up to {MAX_CAMERAS} different names of a-z, 0-9 and _, or one empty name",
    ),
    Parameter(
        "tasks",
        [ALL_TASKS],
        "Tasks that may be computed: `all`, or names of the bundle's tasks. Of these, one is "
        "computed while somebody subscribes to a topic of it.",
    ),
    Parameter(
        "task_every",
        [f"{ALL_TASKS}:1"],
        "How often a task is computed: `TASK:FRAMES`, `all` for those that have none of their "
        "own. `normals:2` computes the normals in every second of the frames that are computed.",
        rule=are_rates,
        rule_words="TASK:FRAMES with 1 to 9999 frames, each task once",
    ),
    Parameter(
        "policy",
        "tokens",
        "`tokens` recomputes the tokens that are stale, `dense` all of them in every frame.",
        choices=("tokens", "dense"),
    ),
    Parameter(
        "max_dirty_fraction",
        1.0,
        "Largest part of the tokens that is recomputed in a frame.",
        range=(0.01, 1.0),
    ),
    Parameter(
        "deadline_ms",
        0.0,
        "Time for one frame, from the image to the decoded outputs: as many tokens are recomputed "
        "as it has room for, learned while running. 0 for any time.",
        range=(0.0, 10000.0),
    ),
    Parameter(
        "change_threshold",
        30.0,
        "A token is dirty when its change beyond noise, in grey levels of 255, times the frames "
        "since it was computed is above this.",
        range=(0.0, 100000.0),
    ),
    Parameter(
        "max_age",
        30,
        "Frames after which a token is recomputed though nothing changed.",
        range=(1, 100000),
    ),
    Parameter(
        "carry_frames",
        0,
        "Frames between two keys at least: so many in a row are not given to the network, which "
        "saves its time. 0 gives it the newest frame whenever it is free.",
        range=(0, 1000),
    ),
    Parameter(
        "network_wait_ms",
        15.0,
        "Time that a frame waits for the network, where the network has lately been as fast as "
        "that; after it, the frame is served from the newest key. 0 never waits.",
        range=(0.0, 10000.0),
    ),
    Parameter(
        "unknown",
        "invalid",
        "What is published where no key says anything: pixels that came into view, or that do "
        "not look as the key says. `invalid`: NaN, label 255, confidence 0. `fill`: what is at "
        "the border, or what was there before.",
        choices=("invalid", "fill"),
    ),
    Parameter(
        "fuse",
        0.5,
        "Part of a new key in what is served, where it agrees with those before it; 1 for the "
        "network's outputs as they are.",
        range=(0.05, 1.0),
    ),
    Parameter(
        "max_key_age",
        2.0,
        "Time from a key to a frame, in seconds, beyond which nothing is published from it.",
        range=(0.05, 600.0),
    ),
    Parameter(
        "output_size",
        "model",
        "Size of all outputs: the network's or the input image's.",
        choices=("model", "input"),
    ),
    Parameter(
        "max_depth",
        20.0,
        "Depth beyond this is invalid (NaN), in metres.",
        range=(0.1, 1000.0),
    ),
    Parameter(
        "depth_encoding",
        "32FC1",
        "Encoding of `~/depth/image`: metres with NaN invalid, or millimetres with 0 invalid.",
        choices=("32FC1", "16UC1"),
    ),
    Parameter(
        "max_failures",
        10,
        "Frames that the network fails on in a row after which the node gives up and goes back to "
        "`unconfigured`.",
        range=(1, 100000),
    ),
    Parameter(
        "engine_timeout",
        10.0,
        "Time for one frame, in seconds, after which the engine counts as hung, and the node goes "
        "back to `unconfigured`.",
        range=(0.1, 600.0),
    ),
    Parameter(
        "warn_dropped",
        0.5,
        "Part of the images dropped, since the last message, from which the diagnostics warn.",
        range=(0.0, 1.0),
    ),
    Parameter(
        "warn_latency_ms",
        200.0,
        "Time from an image's callback to its last output (95th percentile) from which the "
        "diagnostics warn.",
        range=(1.0, 60000.0),
    ),
    Parameter(
        "error_latency_ms",
        1000.0,
        "The same time from which the diagnostics report an error.",
        range=(1.0, 60000.0),
    ),
    Parameter("autostart", True, "Configure and activate the node by itself.", START),
    Parameter(
        "diagnostics_period",
        1.0,
        "Time between two messages on `/diagnostics`, in seconds.",
        START,
        range=(0.05, 60.0),
    ),
)
"""All parameters, in the order of the documentation."""

BY_NAME = {parameter.name: parameter for parameter in TABLE}


def named(name: str) -> Parameter:
    """Return the parameter called ``name``.

    Raises:
        ParameterError: There is no such parameter.
    """
    if name not in BY_NAME:
        raise ParameterError(f"no parameter {name!r}; the node has {', '.join(BY_NAME)}")
    return BY_NAME[name]
