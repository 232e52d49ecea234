"""The taste of one room: its random colours and materials, and its pool of textures."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.simulator.things.parts import Look, Vector
from mtshare_ros.simulator.things.textures import make_texture

TEXTURE_SIDE = 64
"""Side of a texture in pixels: enough at 320x240, and cheap to upload for each room."""

MATERIALS_PER_FAMILY = 3
"""Textures of one family in a room; more would cost upload time and look like a jumble."""

T = TypeVar("T")


class Style:
    """Draws materials and variants for one room.

    Attributes:
        rng: Source of every choice.
        pool: ``A``, ``B`` or ``mix``: where textures and variants come from.
        textures: What was made so far, each ``(n, n, 3)`` uint8.
    """

    def __init__(self, rng: np.random.Generator, pool: str) -> None:
        """Start with no textures; they are made when a material first needs them."""
        self.rng = rng
        self.pool = pool
        self.textures: list[NDArray[np.uint8]] = []
        self._of_family: dict[str, list[int]] = {}

    def held_out(self) -> bool:
        """Decide whether the next choice comes from what training never shows."""
        return self.pool == "B" or (self.pool == "mix" and self.rng.random() < 0.5)

    def variant(self, seen: Sequence[Callable[[], T]], unseen: Sequence[Callable[[], T]]) -> T:
        """Call one of the builders, from ``unseen`` only where held-out ones are allowed."""
        choices = unseen if unseen and self.held_out() and self.rng.random() < 0.6 else seen
        return choices[int(self.rng.integers(len(choices)))]()

    def between(self, low: float, high: float) -> float:
        """Return a uniform number."""
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return bool(self.rng.random() < probability)

    def colour(
        self,
        hue: tuple[float, float] = (0.0, 1.0),
        saturation: tuple[float, float] = (0.15, 0.8),
        value: tuple[float, float] = (0.3, 0.95),
    ) -> Vector:
        """Return a random RGB colour, 0-1, within ranges of hue, saturation and value."""
        return colorsys.hsv_to_rgb(
            self.between(*hue) % 1.0, self.between(*saturation), self.between(*value)
        )

    def textured(self, family: str, rgb: Vector, shine: float = 0.1, repeat: float = 1.0) -> Look:
        """Return a look with one of the room's textures of a family, tinted by ``rgb``."""
        made = self._of_family.setdefault(family, [])
        if len(made) < MATERIALS_PER_FAMILY and (not made or self.chance(0.5)):
            pool = "B" if self.held_out() else "A"
            made.append(len(self.textures))
            self.textures.append(make_texture(self.rng, family, pool, TEXTURE_SIDE))
        texture = made[int(self.rng.integers(len(made)))]
        return Look(rgb, texture, shine=shine, repeat=repeat)

    def wood(self) -> Look:
        """Return wood: mostly brown, sometimes painted white, grey or a colour."""
        if self.chance(0.7):
            rgb = self.colour((0.04, 0.11), (0.25, 0.7), (0.3, 0.9))
        else:
            rgb = self.colour(saturation=(0.0, 0.5), value=(0.35, 0.95))
        return self.textured("wood", rgb, shine=self.between(0.05, 0.5))

    def fabric(self) -> Look:
        """Return cloth of any colour."""
        rgb = self.colour(saturation=(0.05, 0.85), value=(0.25, 0.95))
        return self.textured("fabric", rgb, shine=0.0)

    def paint(self) -> Look:
        """Return a painted surface of any colour."""
        return self.textured("paint", self.colour(), shine=self.between(0.1, 0.6))

    def metal(self) -> Look:
        """Return plain metal: grey, black or brass."""
        rgb = self.colour((0.08, 0.15), (0.0, 0.4), (0.15, 0.8))
        return Look(rgb, shine=0.8)

    def plain(self, rgb: Vector, shine: float = 0.1, emission: float = 0.0) -> Look:
        """Return an untextured surface."""
        return Look(rgb, shine=shine, emission=emission)
