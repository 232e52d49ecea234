"""Clips without rendering: what each part between two cuts is made of, and in which order."""

from contextlib import nullcontext

import numpy as np
import pytest

from mtshare_ros.datasets.seeds import related_seed
from mtshare_ros.simulator import clips
from mtshare_ros.simulator.clips import FIRST_STAMP, render_clip
from mtshare_ros.simulator.poses import look, robot_intrinsics
from mtshare_ros.simulator.render import View
from mtshare_ros.simulator.sensor import Sensor

POSE = look(np.zeros(3), 0.0, 0.0, 0.0)
VIEW = View(
    rgb=np.full((2, 2, 3), 90, np.uint8),
    depth=np.ones((2, 2), np.float32),
    labels=np.zeros((2, 2), np.uint8),
    normals=np.zeros((2, 2, 3), np.float32),
    geoms=np.zeros((2, 2), np.int32),
)


def test_cuts_show_related_rooms_in_order_and_the_stamps_go_on(monkeypatch):
    made = []

    class Shot:
        def __init__(self, renderer, kind, seed, textures, exposure_changes):
            made.append((kind, textures, exposure_changes))
            self.seed = seed

        def frame(self, stamp):
            return self.seed, stamp

    monkeypatch.setattr(clips, "Renderer", nullcontext)
    monkeypatch.setattr(clips, "_Shot", Shot)
    seed = 299_999  # The last of its split.
    found = list(
        render_clip("pan", seed, 6, (64, 48), textures="B", exposure_changes=True, cuts=[4, 2, 2])
    )
    assert made == [("pan", "B", True)] * 3
    rooms = [seed, related_seed(seed, 1), related_seed(seed, 2)]
    assert [room for room, _ in found] == [room for room in rooms for _ in range(2)]
    steps = [0, 33_333_333, 66_666_667, 100_000_000, 133_333_333, 166_666_667]
    assert [stamp - FIRST_STAMP for _, stamp in found] == steps


def test_a_room_is_made_of_the_textures_that_are_asked_for(monkeypatch):
    class MadeError(Exception):
        pass

    def make(*arguments):
        raise MadeError(arguments)

    monkeypatch.setattr(clips, "Renderer", nullcontext)
    monkeypatch.setattr(clips, "make_room", make)
    with pytest.raises(MadeError) as made:
        next(render_clip("static", 5, 1, (64, 48), textures="mix"))
    assert made.value.args == ((5, "mix"),)


class Recorder:
    """A camera's way, what moves and what renders, which note that they were asked."""

    intrinsics = robot_intrinsics((2, 2))

    def __init__(self):
        """Start with nothing asked."""
        self.asked = []

    def discs(self):
        """Return where the things are."""
        return "discs"

    def disc(self):
        """Return where the camera is."""
        return "disc"

    def step(self, what):
        """Note what is to be kept clear of."""
        self.asked.append(what)
        return POSE

    def render(self, pose):
        """Note that a view was rendered."""
        self.asked.append("render")
        return VIEW


def shot(exposure=None):
    made, recorder = clips._Shot.__new__(clips._Shot), Recorder()
    made._renderer = made._path = made._movement = recorder
    made._pose, made._sensor, made._exposure = POSE, None, exposure
    made._metering = made._noise = np.random.default_rng(0)
    return made, recorder


def test_the_camera_moves_around_the_others_and_they_around_it_after_the_first_frame():
    made, recorder = shot()
    made.frame(1)
    assert recorder.asked == ["render"]
    made.frame(2)
    assert recorder.asked[1:] == ["discs", "disc", "render"]


def test_the_exposure_changes_all_colours_alike_and_the_sensor_stays():
    class Doubling:
        def step(self):
            return 2.0

    plain, _ = shot()
    double, _ = shot(Doubling())
    quiet = Sensor(gain=(0.4, 0.5, 0.6), blur=0.0, shot=0.0, read=0.0)
    plain._sensor = double._sensor = quiet
    for _ in range(2):  # The factor does not add up.
        assert plain.frame(0).rgb[0, 0].tolist() == [36, 45, 54]
        assert double.frame(0).rgb[0, 0].tolist() == [72, 90, 108]
    assert double._sensor == quiet
