"""The pictures of one frame: small, encoded, and embedded."""

from dataclasses import replace

import cv2
import numpy as np

from mtshare_ros.evaluation.pictures.depth_colours import DepthColours, to_levels
from mtshare_ros.evaluation.pictures.frame_pictures import LONGEST_SIDE, encode
from mtshare_ros.evaluation.pictures.map_pictures import map_picture
from mtshare_ros.tasks import TASKS
from support.report_files import ALL_TASKS, SIZE, outcome


def decoded(data):
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def test_a_frame_has_pictures_of_all_that_it_gave():
    kinds = {"prediction", "truth", "error"}
    encoded = encode(ALL_TASKS, outcome(1))
    maps = {(task, kind) for task in ("normals", "segmentation") for kind in kinds}
    assert set(encoded.data) == {("camera", ""), ("dirty", ""), ("depth", "error"), *maps}
    assert set(encoded.depth) == {("depth", "prediction"), ("depth", "truth")}
    assert encoded.size == sum(map(len, [*encoded.data.values(), *encoded.depth.values()]))
    bare = encode(ALL_TASKS, replace(outcome(1), dirty=None, truths={}))
    assert set(bare.data) == {
        ("camera", ""),
        *((n, "prediction") for n in ("normals", "segmentation")),
    }


def test_classes_and_levels_of_depth_are_kept_without_loss():
    frame = outcome(1)
    encoded = encode(ALL_TASKS, frame)
    shown = map_picture(TASKS["segmentation"], frame.predictions["segmentation"], 0.0)
    assert np.array_equal(decoded(encoded.data["segmentation", "prediction"]), shown)
    levels = list(encoded.levels())
    assert np.array_equal(levels[0], to_levels(frame.predictions["depth"]))
    assert np.array_equal(levels[1], to_levels(frame.truths["depth"]))


def test_pictures_of_a_large_image_are_small():
    rgb = np.zeros((300, 1000, 3), np.uint8)
    encoded = encode([], replace(outcome(1), rgb=rgb))
    assert decoded(encoded.data["camera", ""]).shape == (96, LONGEST_SIDE, 3)


def test_sources_are_embedded_by_name_and_kind():
    sources = encode(ALL_TASKS, outcome(1)).sources(DepthColours(1, 255))
    assert set(sources) == {"camera", "dirty", "normals", "depth", "segmentation"}
    assert set(sources["depth"]) == {"prediction", "truth", "error"}
    assert sources["camera"][""].startswith("data:image/webp;base64,")
    assert SIZE == outcome(1).rgb.shape[:2]


def test_tokens_and_colours_are_those_of_the_frame():
    frame = outcome(1)
    red = np.zeros_like(frame.rgb)
    red[..., 0] = 200
    encoded = encode(ALL_TASKS, replace(frame, rgb=red))
    red_, green, blue = decoded(encoded.data["camera", ""]).mean((0, 1))
    assert red_ > 150 and max(green, blue) < 60
    dirty = decoded(encoded.data["dirty", ""]).astype(int)
    orange = dirty[..., 0] - dirty[..., 2] > 40
    # Of 3 x 4 tokens those on the diagonal were recomputed.
    places = orange.reshape(3, 8, 4, 8).mean((1, 3))
    assert (places[np.eye(3, 4, dtype=bool)] > 0.8).all()
    assert (places[~np.eye(3, 4, dtype=bool)] < 0.3).all()


def test_errors_are_of_the_size_of_the_truth_and_made_smaller():
    """A prediction at half of the truth's size is wrong where the truth has finer detail."""
    truth = np.zeros((640, 640), np.uint8)
    truth[::2, ::2] = 1
    rgb = np.zeros((640, 640, 3), np.uint8)
    coarse = {"segmentation": np.zeros((320, 320), np.uint8)}
    frame = replace(outcome(1), rgb=rgb, predictions=coarse, truths={"segmentation": truth})
    encoded = encode(ALL_TASKS, frame)
    error = decoded(encoded.data["segmentation", "error"])
    assert error.shape == (LONGEST_SIDE, LONGEST_SIDE, 3)
    # One pixel in four is as bright as can be, (252, 255, 164).
    assert 50 < error[..., 0].mean() < 80


def test_a_sliver_of_an_image_has_a_picture():
    rgb = np.zeros((1, 1000, 3), np.uint8)
    encoded = encode([], replace(outcome(1), rgb=rgb, dirty=None))
    assert decoded(encoded.data["camera", ""]).shape == (1, LONGEST_SIDE, 3)
