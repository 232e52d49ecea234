"""A room as a compiled MuJoCo model, with the class of every geom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.simulator.gl import mujoco
from mtshare_ros.simulator.room import Light, Room
from mtshare_ros.simulator.things.parts import Look, turn
from mtshare_ros.tasks import ROOM_CLASSES

NEAR, FAR = 0.05, 20.0
"""Clipping planes in metres."""

SHADOW_MAP = 1024
"""Side of the shadow map in pixels: the most expensive setting in software rendering."""

CLASS_IDS = {c.name: index for index, c in enumerate(ROOM_CLASSES)}
"""Class id of each class name."""

_SHAPES = {
    "plane": mujoco.mjtGeom.mjGEOM_PLANE,
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
}


@dataclass
class Scene:
    """A room that MuJoCo can render.

    Attributes:
        room: Where it came from.
        model: MuJoCo model. Each placed thing is one body; movable ones are mocap bodies.
        data: MuJoCo state, with all positions computed.
        labels: ``(ngeom,)`` uint8 class id of each geom.
        bodies: Body id of each of ``room.plan.placed``.
    """

    room: Room
    model: Any
    data: Any
    labels: NDArray[np.uint8]
    bodies: list[int]


def compile_scene(room: Room) -> Scene:
    """Compile a room."""
    spec = mujoco.MjSpec()
    _settings(spec, room)
    materials = _Materials(spec, room)
    geoms, bodies = [], []
    for placed in room.plan.placed:
        body = spec.worldbody.add_body(
            pos=placed.pos, quat=turn(placed.yaw), mocap=placed.thing.movable
        )
        bodies.append(body)
        for part in placed.thing.parts:
            geom = body.add_geom(
                type=_SHAPES[part.shape],
                size=part.size,
                pos=part.pos,
                quat=part.quat,
                material=materials.name_of(part.look, planar=part.shape == "plane"),
                rgba=[*part.look.rgb, 1.0],
                contype=0,
                conaffinity=0,
            )
            geoms.append((geom, CLASS_IDS[part.label]))
    for light in room.lights:
        _add_light(spec, light)
    model = spec.compile()
    materials.paint(model)
    labels = np.full(model.ngeom, 255, np.uint8)
    for geom, label in geoms:
        labels[geom.id] = label
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return Scene(room, model, data, labels, [body.id for body in bodies])


def _settings(spec: Any, room: Room) -> None:
    """Set clipping, tessellation, shadows and the light that comes from everywhere."""
    # The extent scales the clipping planes; fixed, so that depth has the same precision anywhere.
    spec.stat.extent = 1.0
    spec.stat.center = [0.0, 0.0, 1.0]
    visual = spec.visual
    visual.map.znear, visual.map.zfar = NEAR, FAR
    visual.quality.shadowsize = SHADOW_MAP
    visual.quality.offsamples = 0
    visual.quality.numslices, visual.quality.numstacks = 20, 12
    visual.quality.numquads = 6
    visual.headlight.ambient = [room.ambient] * 3
    visual.headlight.diffuse = [0.0] * 3
    visual.headlight.specular = [0.0] * 3


def _add_light(spec: Any, light: Light) -> None:
    """Add a wide spot light: the kind whose shadows MuJoCo keeps sharp in a room."""
    spec.worldbody.add_light(
        type=mujoco.mjtLightType.mjLIGHT_SPOT,
        pos=light.pos,
        dir=light.direction,
        diffuse=light.rgb,
        specular=[0.2] * 3,
        ambient=[0.0] * 3,
        cutoff=85.0,
        exponent=0.5,
        castshadow=light.shadows,
    )


class _Materials:
    """Makes each material once, and fills in the textures after compilation.

    MuJoCo takes the pixels of a texture as a list of numbers, which is slow; so textures are
    declared as flat ones of the right size, and the compiled model's array is written instead.
    """

    def __init__(self, spec: Any, room: Room) -> None:
        self._spec = spec
        self._images = room.textures
        self._names: dict[tuple[object, ...], str] = {}
        self._textures: dict[str, NDArray[np.uint8]] = {}

    def name_of(self, look: Look, planar: bool) -> str:
        """Return the name of the material for a look."""
        repeat = look.repeat if planar else 1.0
        key = (look.texture, planar, repeat, look.emission, look.shine)
        if key in self._names:
            return self._names[key]
        name = f"material{len(self._names)}"
        material = self._spec.add_material(
            name=name,
            emission=look.emission,
            specular=look.shine,
            shininess=0.4,
            texrepeat=[repeat, repeat],
            texuniform=planar,
        )
        if look.texture is not None:
            texture = self._texture(look.texture, planar)
            material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = texture
        self._names[key] = name
        return name

    def _texture(self, index: int, planar: bool) -> str:
        """Declare a texture: flat for planes, the six sides of a cube for everything else."""
        name = f"{'flat' if planar else 'cube'}{index}"
        if name not in self._textures:
            image = self._images[index]
            kind = mujoco.mjtTexture.mjTEXTURE_2D if planar else mujoco.mjtTexture.mjTEXTURE_CUBE
            self._spec.add_texture(
                name=name,
                type=kind,
                builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
                width=image.shape[1],
                height=image.shape[0],
            )
            self._textures[name] = image if planar else np.tile(image, (6, 1, 1))
        return name

    def paint(self, model: Any) -> None:
        """Write the pixels of all textures into the compiled model."""
        for name, image in self._textures.items():
            texture = model.texture(name).id
            start = int(model.tex_adr[texture])
            model.tex_data[start : start + image.size] = image.reshape(-1)
