"""The plain values that a room is made of: looks, parts, and things with a footprint."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]

UPRIGHT: Quaternion = (1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Look:
    """What a surface looks like.

    Attributes:
        rgb: Colour, 0-1; it tints the texture.
        texture: Index into the room's textures, or None for a plain surface.
        emission: 0 for a lit surface, up to 1 for one that shines by itself.
        shine: Strength of the highlight, 0-1.
        repeat: Repetitions of the texture per metre (planes only).
    """

    rgb: Vector
    texture: int | None = None
    emission: float = 0.0
    shine: float = 0.1
    repeat: float = 1.0


@dataclass(frozen=True)
class Part:
    """One primitive of a thing, in the frame of the thing (x right, y to its front, z up).

    Attributes:
        shape: ``plane``, ``box``, ``sphere``, ``capsule``, ``cylinder`` or ``ellipsoid``.
        size: Half sizes or radius and half length in metres, as MuJoCo has them.
        pos: Centre, metres.
        look: Surface.
        label: Class name.
        quat: Rotation (w, x, y, z).
    """

    shape: str
    size: Vector
    pos: Vector
    look: Look
    label: str
    quat: Quaternion = UPRIGHT


@dataclass
class Thing:
    """Parts that stand and move together.

    Attributes:
        label: Class name of the whole.
        parts: Its primitives, in the thing's frame (origin on the floor, front towards +y).
        half: Half extent of the footprint (x, y), metres.
        height: Height, metres.
        support: Height of a surface on which small things can stand, or None.
        movable: Whether a moving clip may move it.
    """

    label: str
    half: tuple[float, float]
    height: float
    parts: list[Part] = field(default_factory=list)
    support: float | None = None
    movable: bool = False

    def add(
        self, shape: str, size: Vector, pos: Vector, look: Look, quat: Quaternion = UPRIGHT
    ) -> None:
        """Add a part of the thing's own class."""
        self.parts.append(Part(shape, size, pos, look, self.label, quat))

    def box(self, size: Vector, pos: Vector, look: Look) -> None:
        """Add an upright box by its half sizes and its centre, metres."""
        self.add("box", size, pos, look)

    def limb(
        self, start: Vector, end: Vector, radius: float, look: Look, shape: str = "capsule"
    ) -> None:
        """Add a capsule or cylinder between two points."""
        along = np.subtract(end, start)
        centre = np.add(start, end) / 2
        size = (radius, float(np.linalg.norm(along)) / 2, 0.0)
        self.add(shape, size, vector(centre), look, towards(along))


def vector(values: np.ndarray) -> Vector:
    """Return three numbers as plain floats."""
    x, y, z = (float(v) for v in values)
    return x, y, z


def turn(yaw: float) -> Quaternion:
    """Return the rotation about z by ``yaw`` radians."""
    return float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2))


def tilt(pitch: float) -> Quaternion:
    """Return the rotation about x by ``pitch`` radians."""
    return float(np.cos(pitch / 2)), float(np.sin(pitch / 2)), 0.0, 0.0


def towards(direction: np.ndarray) -> Quaternion:
    """Return a rotation that takes the z axis to ``direction`` (3,)."""
    x, y, z = np.asarray(direction, float) / np.linalg.norm(direction)
    if z < -0.999999:
        return 0.0, 1.0, 0.0, 0.0
    scale = np.sqrt(2 * (1 + z))
    return float(scale / 2), float(-y / scale), float(x / scale), 0.0
