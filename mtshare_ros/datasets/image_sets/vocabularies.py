"""Tasks and classes of the published data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtshare_ros.tasks import BOUNDARY, DEPTH, KINDS, NORMALS, SALIENCY, SemanticClass, Task

NYUD_CLASSES = (
    "wall, floor, cabinet, bed, chair, sofa, table, door, window, bookshelf, picture, counter,"
    " blinds, desk, shelves, curtain, dresser, pillow, mirror, floor mat, clothes, ceiling, books,"
    " refrigerator, television, paper, towel, shower curtain, box, whiteboard, person,"
    " night stand, toilet, sink, lamp, bathtub, bag, other structure, other furniture, other prop"
).split(", ")
"""Gupta, Arbelaez, Malik, "Perceptual organization ... from RGB-D images", CVPR 2013."""

PASCAL_CLASSES = (
    "background, aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, dining table,"
    " dog, horse, motorbike, person, potted plant, sheep, sofa, train, tv monitor"
).split(", ")
PART_CLASSES = ("background", "head", "torso", "upper arm", "lower arm", "upper leg", "lower leg")


def colours(count: int) -> list[tuple[int, int, int]]:
    """Return the first RGB colours of PASCAL VOC: the bits of an id, spread over the channels."""
    spread = []
    for index in range(count):
        channels = [0, 0, 0]
        for bit in range(24):
            channels[bit % 3] |= (index >> bit & 1) << (7 - bit // 3)
        spread.append((channels[0], channels[1], channels[2]))
    return spread


def segmentation(name: str, classes: Sequence[str]) -> Task:
    """Return a segmentation task over classes, in the order of their ids."""
    named = tuple(map(SemanticClass, classes, colours(len(classes))))
    return KINDS["segmentation"].task(name, named)


def _by_name(*tasks: Task) -> Mapping[str, Task]:
    return {task.name: task for task in tasks}


NYUD_TASKS = _by_name(segmentation("segmentation", NYUD_CLASSES), DEPTH, NORMALS, BOUNDARY)
PASCAL_TASKS = _by_name(
    segmentation("segmentation", PASCAL_CLASSES),
    segmentation("human_parts", PART_CLASSES),
    SALIENCY,
    NORMALS,
    BOUNDARY,
)
