"""Small trees in the layouts of published data sets, with values that show a wrong reading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.io

SIZE = (448, 40)
"""Width and height: a camera of 518.86 pixels is plausible, and it is small."""
FOCAL = 518.86


def scene(seed: int, size: tuple[int, int] = SIZE) -> dict[str, Any]:
    """Return a room corner: a wall left, one ahead and a floor; normals in the optical frame."""
    width, height = size
    x, y = np.meshgrid(np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2)
    rays = np.stack([x / FOCAL, y / FOCAL, np.ones_like(x)], -1)
    planes = [  # normal n and distance d with n . p = -d; towards the camera
        (np.array([0.8, 0.0, -0.6]), 1.2 + 0.1 * seed),
        (np.array([0.0, 0.0, -1.0]), 2.5),
        (np.array([0.0, -0.8, -0.6]), 1.44),
    ]
    with np.errstate(divide="ignore"):
        depths = np.stack([np.where(rays @ n < 0, -d / (rays @ n), np.inf) for n, d in planes])
    nearest = depths.argmin(0)
    depth = depths.min(0).astype(np.float32)
    normals = np.stack([n for n, _ in planes])[nearest].astype(np.float32)
    rng = np.random.default_rng(seed)
    rgb = (60 * nearest[..., None] + rng.integers(40, 90, (height, width, 3))).astype(np.uint8)
    edge = np.zeros((height, width), np.uint8)
    edge[:, :-1] = nearest[:, 1:] != nearest[:, :-1]
    return {"rgb": rgb, "depth": depth, "normals": normals, "plane": nearest, "edge": edge}


def save(path: Path, rgb_or_grey: Any) -> None:
    """Write a picture, colour as RGB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = rgb_or_grey[..., ::-1] if rgb_or_grey.ndim == 3 else rgb_or_grey
    assert cv2.imwrite(str(path), np.ascontiguousarray(image))


def put(path: Path, array: Any) -> None:
    """Write an ``.npy`` file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def write_nyud(root: Path, png: bool, axes: Any = None, count: int = 3) -> Path:
    """Write a tree of NYUD-v2: ``NYUDv2`` where ``png``, else ``NYUD_MT``.

    Pixel (0, 0) is void, without depth and without normal; ids are the plane + 1, 40 at (1, 1).
    ``axes`` (3, 3) is from the optical frame to the files' axes.
    """
    names = [f"{number:04d}" for number in range(1, count + 1)]
    for split, part in (("train", names[:-1]), ("val", names[-1:])):
        path = root / "gt_sets" / f"{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(part) + "\n")
    for number, name in enumerate(names):
        view = scene(number)
        labels = (view["plane"] + 1).astype(np.uint8)
        labels[0, 0], labels[1, 1] = 0, 40
        depth, normals = view["depth"].copy(), view["normals"].copy()
        if axes is not None:
            normals = normals @ np.asarray(axes, np.float32).T
        depth[0, 0], normals[0, 0] = 0, 0
        save(root / "images" / f"{name}{'.png' if png else '.jpg'}", view["rgb"])
        save(root / "segmentation" / f"{name}.png", labels)
        put(root / "depth" / f"{name}.npy", depth)
        if png:
            stored = np.rint((normals + 1) * 127.5).astype(np.uint8)
            save(root / "normals" / f"{name}.png", stored)
            save(root / "edge" / f"{name}.png", 255 * view["edge"])
        else:
            put(root / "normals" / f"{name}.npy", normals)
            put(root / "edge" / f"{name}.npy", view["edge"].astype(np.float32))
    return root


def person(mask: Any, parts: dict[str, Any]) -> tuple[str, int, Any, Any]:
    """Return an object of PASCAL-Part."""
    kinds = [("part_name", object), ("mask", object)]
    found = np.zeros((1, len(parts)) if parts else (0, 0), kinds)
    for index, (name, part) in enumerate(parts.items()):
        found[0, index] = (name, part.astype(np.uint8))
    return "person", 15, mask.astype(np.uint8), found


def write_parts(path: Path, name: str, objects: list[Any]) -> None:
    """Write a ``.mat`` of PASCAL-Part."""
    kinds = [("class", object), ("class_ind", object), ("mask", object), ("parts", object)]
    listed = np.zeros((1, len(objects)), kinds)
    for index, item in enumerate(objects):
        listed[0, index] = item
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"anno": {"imname": name, "objects": listed}})


def write_pascal(root: Path, size: tuple[int, int] = (64, 48)) -> Path:
    """Write a tree of PASCAL-Context: two images to train on, one to validate on.

    The LabelMap is 284 (person, which has normals) left of column 20, then 440 (wall, likewise),
    and 360 (sky, which has none) from row 30 down. Only the first image has a person with parts.
    """
    width, height = size
    names = ["2008_000003", "2008_000007", "2008_000009"]
    for split, part in (("train", names[:2]), ("val", names[2:])):
        path = root / "ImageSets" / "Context" / f"{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(part) + "\n")
    rng = np.random.default_rng(0)
    for number, name in enumerate(names):
        labels = np.full((height, width), 440, np.uint16)
        labels[:, :20], labels[30:] = 284, 360
        body = labels == 284
        (root / "pascal-context" / "trainval").mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(
            root / "pascal-context" / "trainval" / f"{name}.mat", {"LabelMap": labels}
        )
        save(
            root / "JPEGImages" / f"{name}.jpg",
            rng.integers(0, 255, (height, width, 3)).astype(np.uint8),
        )
        classes = np.where(body, 15, 0).astype(np.uint8)
        classes[0, 0], classes[0, 1] = 255, 20
        # The last one has no VOC12 mask.
        save(
            root / "semseg" / ("pascal-context" if number == 2 else "VOC12") / f"{name}.png",
            classes,
        )
        head, arm = body.copy(), body.copy()
        head[10:], arm[:10] = False, False
        objects = [person(body, {"hair": head, "lhand": arm} if number == 0 else {})]
        objects.append(("dog", 12, ~body, person(~body, {"head": ~body})[3]))
        write_parts(root / "human_parts" / f"{name}.mat", name, objects)
        save(root / "sal_distill" / f"{name}.png", np.where(body, 128, 127).astype(np.uint8))
        # Right, down and towards the camera, as the pictures are coloured.
        stored = np.rint((np.array([0.6, 0.0, 0.8]) + 1) * 127.5).astype(np.uint8)
        save(root / "normals_distill" / f"{name}.png", np.tile(stored, (height, width, 1)))
    return root
