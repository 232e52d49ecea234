"""Small teachers as ONNX files with the YAML files beside them, and a bag to label."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

from mtshare_ros import cli
from mtshare_ros.simulator.clip_bag import ClipWriter
from mtshare_ros.simulator.clips import ClipFrame
from mtshare_ros.simulator.poses import look, robot_intrinsics

SIZE = (64, 48)


def write_teacher(path: Path, weights: Any, bias: Any, says: dict[str, Any]) -> Path:
    """Write a model whose output is a 1x1 convolution of its input (1, 3, 24, 32).

    Args:
        path: The ONNX file.
        weights: (channels, 3).
        bias: (channels,).
        says: What the YAML file says besides ``input``.
    """
    matrix = np.asarray(weights, np.float32)[..., None, None]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 24, 32])
    result = helper.make_tensor_value_info("result", TensorProto.FLOAT, [1, len(matrix), 24, 32])
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weights", "bias"], ["result"])],
        "teacher",
        [image],
        [result],
        [
            numpy_helper.from_array(matrix, "weights"),
            numpy_helper.from_array(np.asarray(bias, np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    values = {"input": {"size": [32, 24]}, **says}
    path.with_suffix(".yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    return path


def depth_teacher(folder: Path, **output: Any) -> Path:
    """Return a teacher that says 1 metre where red is 0 and 3 metres where it is 255."""
    said = {"kind": "depth", "output": {"means": "metres", **output}}
    return write_teacher(folder / "depth.onnx", [[2, 0, 0]], [1], said)


def class_teacher(folder: Path) -> Path:
    """Return a teacher of four ids: 0 and 3 where red is high, 1 where it is low, 2 never."""
    said = {
        "kind": "segmentation",
        "output": {"means": "logits"},
        "classes": {"dark": [1], "bright": [3, 0]},
    }
    weights = [[20, 0, 0], [-20, 0, 0], [0, 0, 0], [20, 0, 0]]
    return write_teacher(folder / "classes.onnx", weights, [-10, 10, -30, -10], said)


def frame(index: int, position: int) -> ClipFrame:
    """Return a frame with a bright square at a column; truth says something else than teachers."""
    width, height = SIZE
    rgb = np.full((height, width, 3), 20, np.uint8)
    rgb[::2, ::2, 1] = 90  # some texture
    rgb[12:36, position : position + 24, 0] = 230
    intrinsics = replace(robot_intrinsics(SIZE), fx=0.9 * width)
    return ClipFrame(
        stamp=1_700_000_000 * 10**9 + index * 33_333_333,
        rgb=rgb,
        depth=np.full((height, width), 9, np.float32),
        labels=np.zeros((height, width), np.uint8),
        normals=np.tile(np.array([0, 0, -1], np.float32), (height, width, 1)),
        pose=look(np.zeros(3), 0.0, 0.0, 0.0),
        intrinsics=intrinsics,
    )


def write_bag(path: Path, frames: int = 24, still: int = 3, blurred: tuple[int, ...] = ()) -> Path:
    """Write a bag in which a square moves on after every ``still`` frames."""
    with ClipWriter(path) as writer:
        for index in range(frames):
            made = frame(index, 4 * (index // still))
            if index in blurred:
                made = replace(made, rgb=cv2.blur(made.rgb, (15, 15)))
            writer.write(made)
    return path


def label_small_bag(folder: Path) -> Path:
    """Write a bag and two teachers, label the bag with them, and return the data set."""
    bag = write_bag(folder / "bag.mcap", blurred=(7,))
    teachers = [f"depth={depth_teacher(folder)}", f"segmentation={class_teacher(folder)}"]
    command = ["label", "--bag", bag, "--output", folder / "set", "--frames", 12]
    for teacher in teachers:
        command += ["--teacher", teacher]
    assert cli.run([str(word) for word in command]) == 0
    return folder / "set"
