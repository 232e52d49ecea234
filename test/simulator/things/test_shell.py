"""The room itself: floor, ceiling, walls, doors, windows."""

import numpy as np

from mtshare_ros.simulator.things import shell
from mtshare_ros.simulator.things.style import Style


def style(seed):
    return Style(np.random.default_rng(seed), "mix")


def test_floor_and_ceiling_are_planes_of_the_rooms_size():
    floor, ceiling = shell.floor(style(0), (2.0, 3.0)), shell.ceiling(style(0), (2.0, 3.0), 2.5)
    for thing, height in ((floor, 0.0), (ceiling, 2.5)):
        plane = thing.parts[0]
        assert plane.shape == "plane" and plane.size[:2] == (2.0, 3.0) and plane.pos[2] == height
    assert (floor.label, ceiling.label) == ("floor", "ceiling")


def test_a_wall_reaches_beyond_its_corners_so_that_no_seam_shows():
    wall = shell.wall(style(1), 2.0, 2.4, shell.wall_look(style(1)))
    assert wall.parts[0].size[:2] == (2.0 + shell.SEAM, 1.2 + shell.SEAM)
    assert {part.label for part in wall.parts} == {"wall"}


def test_doors_stand_on_the_floor_and_windows_hang_above_it():
    for seed in range(10):
        door, window = shell.door(style(seed)), shell.window(style(seed))
        assert {part.label for part in door.parts} == {"door"}
        assert min(part.pos[2] - part.size[2] for part in door.parts if part.shape == "box") < 0.05
        panes = [part for part in window.parts if part.look.emission > 0.6]
        assert panes and min(part.pos[2] - part.size[2] for part in panes) > 0.3


def facing(part):
    """Return where a plane faces: its z axis after its rotation."""
    w, axis = part.quat[0], np.array(part.quat[1:])
    up = np.array([0.0, 0.0, 1.0])
    return up + 2 * np.cross(axis, np.cross(axis, up) + w * up)


def test_floor_ceiling_and_walls_face_the_room():
    floor, ceiling = shell.floor(style(0), (2.0, 3.0)), shell.ceiling(style(0), (2.0, 3.0), 2.5)
    wall = shell.wall(style(0), 2.0, 2.5, shell.wall_look(style(0)))
    for thing, expected in ((floor, (0, 0, 1)), (ceiling, (0, 0, -1)), (wall, (0, 1, 0))):
        np.testing.assert_allclose(facing(thing.parts[0]), expected, atol=1e-12)


def test_everything_of_a_window_is_a_window():
    for seed in range(10):
        window = shell.window(style(seed))
        assert {window.label, *(part.label for part in window.parts)} == {"window"}
