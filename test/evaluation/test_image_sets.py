"""Images of a data set as frames to score: sizes, tasks and frames around them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtshare_ros.datasets.image_sets.image_set import ImageSet
from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation import image_sets
from mtshare_ros.evaluation.image_sets import (
    ImageFrames,
    centred,
    check_size,
    common_tasks,
)
from mtshare_ros.evaluation.outcome import Outcome
from mtshare_ros.evaluation.scores import Scores
from mtshare_ros.tasks import TASKS, SemanticClass
from support.report_files import ALL_TASKS, manifest

LABELS = np.array([[0, 1], [1, 255]], np.uint8)
IMAGE = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)


def images(**changes):
    values = {
        "title": "Two images",
        "root": Path("somewhere"),
        "names": ("a", "b"),
        "tasks": {"segmentation": TASKS["segmentation"]},
        "readers": {"rgb": lambda name: IMAGE, "segmentation": lambda name: LABELS},
        "focal_length": 1.0,
        "max_distance": 0.011,
    }
    return ImageSet(**{**values, **changes})


def test_images_stand_alone_and_are_scored_on_what_the_set_has_truth_for():
    frames = ImageFrames(images(), "folder", "stretch", manifest())
    assert (len(frames), frames.max_distance) == (2, 0.011)
    assert [task.name for task in frames.tasks] == ["segmentation"]
    assert frames.title == "Two images, protocol stretch"
    first, second = frames
    assert (first.label, second.label, second.stamp) == ("a", "b", 1)
    assert not first.follows and first.focal_length == 0.5 and first.image is IMAGE
    assert list(first.truths) == ["segmentation"]


def test_a_protocol_with_a_frame_scores_the_image_in_it(monkeypatch):
    spec = manifest().input
    monkeypatch.setitem(image_sets.PROTOCOLS["invpt"].sizes, "toy", (spec.width, spec.height))
    frame = next(iter(ImageFrames(images(), "toy", "invpt", manifest())))
    assert frame.image.shape == (spec.height, spec.width, 3)
    assert np.array_equal(frame.image[frame.region], IMAGE)
    # The focal length is in widths of what the network sees.
    assert frame.focal_length == 1 / spec.width


def test_the_report_says_what_was_scored_and_has_the_variants_of_published_tables():
    frames = ImageFrames(images(), "folder", "stretch", manifest())
    scores = Scores(frames.tasks)
    for frame in frames:
        maps = {"segmentation": np.where(LABELS == 255, 0, LABELS)}
        outcome = Outcome(frame.image, maps, frame.truths)
        scores.update(outcome)
        frames.update(frame, outcome)
    result = frames.result(scores)
    assert (result["data"], result["protocol"]) == ("Two images", "stretch")
    assert result["legacy"] == {"segmentation": {"miou_legacy": pytest.approx(2 / 16)}}


def test_tasks_that_both_have_are_common_and_must_have_the_same_classes():
    assert common_tasks(ALL_TASKS, images()) == [TASKS["segmentation"]]
    with pytest.raises(OptionError, match="somewhere: tasks segmentation; .*none of them, but de"):
        common_tasks([TASKS["depth"]], images())
    lava = replace(TASKS["segmentation"], classes=(SemanticClass("lava", (0, 0, 0)),))
    with pytest.raises(OptionError, match="segmentation is segmentation lava; the bundle's is"):
        common_tasks(ALL_TASKS, images(tasks={"segmentation": lava}))


@pytest.mark.parametrize(
    ("protocol", "kind", "said"),
    [
        ("best", "nyud", "protocol 'best': expected one of stretch, invpt, mtl"),
        ("mtl", "folder", "protocol mtl: of nyud, pascal_context, not folder; use stretch"),
        ("invpt", "nyud", "invpt of nyud: expected a bundle for 576x448, this one is for 32x24"),
    ],
)
def test_a_bundle_that_does_not_fit_a_protocol_is_refused(protocol, kind, said):
    with pytest.raises(OptionError, match=said):
        check_size(protocol, kind, manifest().input)
    check_size("stretch", kind, manifest().input)


@pytest.mark.parametrize(
    ("sides", "left", "top"), [((7, 9), 2, 3), ((12, 15), 0, 0), ((11, 15), 0, 0), ((1, 2), 5, 6)]
)
def test_an_image_of_any_size_lies_in_the_middle_of_the_frame(sides, left, top):
    width, height = sides
    image = np.full((height, width, 3), 9, np.uint8)
    image[0, 0] = 1
    canvas, region = centred(image, (12, 15), "x")
    assert canvas.shape == (15, 12, 3) and np.array_equal(canvas[region], image)
    assert tuple(canvas[top, left]) == (1, 1, 1)
    assert (canvas == np.array([124, 116, 104])).all(-1).sum() == 12 * 15 - width * height


@pytest.mark.parametrize("sides", [(13, 4), (4, 16)])
def test_an_image_larger_than_the_frame_on_either_side_is_refused_by_name(sides):
    image = np.zeros((*sides[::-1], 3), np.uint8)
    with pytest.raises(OptionError, match=f"image big: {sides[0]}x{sides[1]}; .* up to 12x15"):
        centred(image, (12, 15), "big")


def test_a_task_of_the_same_name_and_another_kind_is_refused():
    other = replace(TASKS["depth"], kind="saliency")
    with pytest.raises(OptionError, match="depth is saliency .*the bundle's is depth"):
        common_tasks([TASKS["depth"]], images(tasks={"depth": other}))


@pytest.mark.parametrize(
    ("protocol", "kind", "size"),
    [
        ("invpt", "nyud", (576, 448)),
        ("invpt", "pascal_context", (512, 512)),
        ("mtl", "nyud", (640, 480)),
        ("mtl", "pascal_context", (512, 512)),
    ],
)
def test_published_protocols_have_their_size(protocol, kind, size):
    width, height = size
    check_size(protocol, kind, replace(manifest().input, width=width, height=height))
    for other in ((width + 16, height), (width, height + 16)):
        with pytest.raises(OptionError, match=f"expected a bundle for {width}x{height}"):
            check_size(protocol, kind, replace(manifest().input, width=other[0], height=other[1]))
    assert image_sets.PROTOCOLS[protocol].in_frame == (protocol == "invpt")


def test_a_bundle_that_does_not_fit_is_refused_before_any_image_is_read():
    with pytest.raises(OptionError, match="mtl of nyud: expected a bundle for 640x480"):
        ImageFrames(images(readers={}), "nyud", "mtl", manifest())


def test_as_many_classes_with_another_name_are_other_classes():
    known = TASKS["segmentation"].classes
    renamed = (replace(known[0], name="lava"), *known[1:])
    lava = replace(TASKS["segmentation"], classes=renamed)
    with pytest.raises(OptionError, match="segmentation lava, .*the bundle's is segmentation fl"):
        common_tasks(ALL_TASKS, images(tasks={"segmentation": lava}))
