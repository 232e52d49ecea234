"""A compiled room is the room that was drawn: classes, poses, materials and lights."""

import numpy as np
import pytest

from mtshare_ros.simulator.gl import mujoco
from mtshare_ros.simulator.layout import Plan
from mtshare_ros.simulator.room import Light, Room
from mtshare_ros.simulator.scene import CLASS_IDS, FAR, NEAR, compile_scene
from mtshare_ros.simulator.things.parts import Look, Thing
from mtshare_ros.tasks import ROOM_CLASSES

RED = (0.9, 0.2, 0.1)


@pytest.fixture(scope="module")
def scene():
    floor = Thing("floor", (3.0, 2.0), 0.0)
    floor.add("plane", (3.0, 2.0, 0.1), (0, 0, 0), Look((0.5, 0.5, 0.5), 0, repeat=0.7))
    lamp = Thing("lamp", (0.1, 0.1), 1.0)
    lamp.box((0.3, 0.1, 0.2), (0.4, 0.0, 0.5), Look(RED, 0, emission=0.9))
    lamp.box((0.1, 0.1, 0.1), (0.0, 0.0, 0.1), Look(RED, 0, emission=0.0))
    ball = Thing("ball", (0.1, 0.1), 0.2, movable=True)
    ball.add("sphere", (0.1, 0, 0), (0, 0, 0.1), Look((0.1, 0.9, 0.2)))
    plan = Plan((3.0, 2.0), 2.5)
    plan.put(floor, (0.0, 0.0, 0.0), 0.0)
    plan.put(lamp, (1.0, 0.5, 0.0), np.pi / 2)
    plan.put(ball, (-1.0, 0.5, 0.0), 0.0)
    texture = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    lights = [
        Light((0.0, 0.0, 2.4), (0.0, 0.0, -1.0), (0.8, 0.7, 0.6), shadows=True),
        Light((1.0, 0.0, 2.4), (0.0, 0.0, -1.0), (0.2, 0.2, 0.2), shadows=False),
    ]
    return compile_scene(Room(0, "A", plan, [texture], lights, 0.4))


def test_each_geom_has_the_class_of_its_thing(scene):
    assert [ROOM_CLASSES[label].name for label in scene.labels] == [
        "floor",
        "lamp",
        "lamp",
        "ball",
    ]
    assert CLASS_IDS == {item.name: number for number, item in enumerate(ROOM_CLASSES)}


def test_things_stand_where_they_were_put_turned_counterclockwise(scene):
    # A part 0.4 m to the right of a thing that is turned by a quarter is 0.4 m along y.
    np.testing.assert_allclose(scene.data.geom_xpos[1], [1.0, 0.9, 0.5], atol=1e-9)
    turned = scene.data.geom_xmat[1].reshape(3, 3)
    np.testing.assert_allclose(turned[:, 0], [0, 1, 0], atol=1e-9)
    assert [int(scene.model.geom_bodyid[n]) for n in (0, 1, 3)] == scene.bodies


def test_only_what_may_move_is_a_mocap_body(scene):
    assert [int(scene.model.body_mocapid[body]) for body in scene.bodies] == [-1, -1, 0]


def test_colours_materials_and_textures_are_those_of_the_parts(scene):
    model = scene.model
    np.testing.assert_allclose(model.geom_rgba[1], [*RED, 1.0], atol=1e-6)
    assert [float(model.mat_emission[model.geom_matid[n]]) for n in (1, 2)] == pytest.approx(
        [0.9, 0.0]
    )
    assert model.mat_texrepeat[model.geom_matid[0]].tolist() == pytest.approx([0.7, 0.7])
    flat, cube = model.texture("flat0"), model.texture("cube0")
    image = scene.room.textures[0]
    assert int(cube.height[0]) == 6 * int(cube.width[0]) == 48
    for texture, copies in ((flat, 1), (cube, 6)):
        start = int(model.tex_adr[texture.id])
        stored = model.tex_data[start : start + copies * image.size]
        np.testing.assert_array_equal(stored.reshape(copies, 8, 8, 3), [image] * copies)


def test_one_light_casts_shadows_and_the_rest_comes_from_everywhere(scene):
    model = scene.model
    assert model.light_castshadow.tolist() == [True, False]
    np.testing.assert_allclose(model.light_diffuse[0], [0.8, 0.7, 0.6], atol=1e-6)
    np.testing.assert_allclose(model.vis.headlight.ambient, 0.4, atol=1e-6)
    np.testing.assert_allclose(model.vis.headlight.diffuse, 0.0)
    assert (model.light_type == mujoco.mjtLightType.mjLIGHT_SPOT).all()


def test_the_clipping_planes_are_metres_and_reach_through_the_largest_room(scene):
    visual, extent = scene.model.vis.map, scene.model.stat.extent
    assert (visual.znear * extent, visual.zfar * extent) == pytest.approx((NEAR, FAR))
    assert NEAR == 0.05 and np.hypot(8.0, 8.0) < FAR
