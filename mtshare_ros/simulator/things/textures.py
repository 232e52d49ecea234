"""Procedural textures: tileable patterns near white, which a part's own colour then tints.

Every generator takes a ``numpy.random.Generator`` and a side length ``n`` and returns
``(n, n, 3)`` float32 in 0-1.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Generator = Callable[[np.random.Generator, int], Image]


def smooth_noise(rng: np.random.Generator, n: int, cells: tuple[int, int]) -> Image:
    """Return tileable value noise, ``(n, n)`` in 0-1, with ``cells`` (down, across) bumps."""
    grid = np.pad(rng.random(cells, dtype=np.float32), 2, mode="wrap")
    tall, wide = (n * (c + 4) // c for c in cells)
    noise = cv2.resize(grid, (wide, tall), interpolation=cv2.INTER_CUBIC)
    top, left = (tall - n) // 2, (wide - n) // 2
    return np.clip(noise[top : top + n, left : left + n], 0.0, 1.0)


def _grid(n: int) -> tuple[Image, Image]:
    """Return the row and column coordinates of an n x n texture, each ``(n, n)`` in 0-1."""
    axis: Image = ((np.arange(n) + 0.5) / n).astype(np.float32)
    return np.repeat(axis[:, None], n, axis=1), np.repeat(axis[None], n, axis=0)


def _blend(rng: np.random.Generator, amount: Image, contrast: float) -> Image:
    """Mix a near-white and a darker, slightly coloured tone by ``amount`` (n, n) in 0-1."""
    light = 1.0 - 0.12 * rng.random(3)
    dark = light * (1.0 - contrast * (0.6 + 0.4 * rng.random(3)))
    mixed = light + amount[..., None] * (dark - light)
    return np.asarray(mixed, np.float32)


def _grain(rng: np.random.Generator, n: int, strength: float = 0.12) -> Image:
    """Return fine grain, ``(n, n)`` about 0, so that no surface is flat in the image."""
    return np.asarray(strength * (rng.random((n, n), dtype=np.float32) - 0.5), np.float32)


def clouds(rng: np.random.Generator, n: int) -> Image:
    """Soft stains, as on plaster."""
    cells = int(rng.integers(2, 6))
    noise = smooth_noise(rng, n, (cells, cells)) * 0.7 + smooth_noise(rng, n, (16, 16)) * 0.3
    return _blend(rng, noise + _grain(rng, n), 0.2)


def speckle(rng: np.random.Generator, n: int) -> Image:
    """Carpet, felt or terrazzo: coarse grain."""
    cells = int(rng.choice([16, 32, 64]))
    return _blend(rng, smooth_noise(rng, n, (cells, cells)), rng.uniform(0.3, 0.6))


def checker(rng: np.random.Generator, n: int) -> Image:
    """Tiles in two tones with joints."""
    rows, columns = _grid(n)
    count = int(rng.choice([2, 4]))
    odd = (np.floor(rows * count) + np.floor(columns * count)) % 2
    joint = (np.minimum((rows * count) % 1, (columns * count) % 1) < 0.04).astype(np.float32)
    return _blend(rng, np.maximum(odd * rng.uniform(0.1, 1), joint) + _grain(rng, n), 0.6)


def stripes(rng: np.random.Generator, n: int) -> Image:
    """Wallpaper or cloth with straight stripes."""
    _, columns = _grid(n)
    count, duty = int(rng.choice([3, 5, 8])), rng.uniform(0.2, 0.7)
    stripe = ((columns * count) % 1 < duty).astype(np.float32)
    return _blend(rng, stripe + _grain(rng, n), rng.uniform(0.2, 0.6))


def bricks(rng: np.random.Generator, n: int) -> Image:
    """Courses of bricks with light joints."""
    rows, columns = _grid(n)
    course = np.floor(rows * 8)
    across = columns * 4 + 0.5 * (course % 2)
    joint = ((rows * 8) % 1 < 0.12) | (across % 1 < 0.06)
    tone = rng.random((8, 5))[course.astype(int), np.floor(across).astype(int)]
    return _blend(rng, np.where(joint, 0.0, 0.5 + 0.5 * tone) + _grain(rng, n), 0.6)


def wood(rng: np.random.Generator, n: int) -> Image:
    """Wood with its grain running down the texture."""
    _, columns = _grid(n)
    bend = smooth_noise(rng, n, (2, 6))
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (columns * int(rng.integers(3, 9)) + 1.5 * bend))
    fibre = smooth_noise(rng, n, (4, 64))
    return _blend(rng, 0.55 * rings + 0.45 * fibre, rng.uniform(0.3, 0.55))


def planks(rng: np.random.Generator, n: int) -> Image:
    """Floor boards: wood with dark joints and a tone for each board."""
    rows, columns = _grid(n)
    board = np.floor(columns * 4).astype(int)
    tone = rng.random(4)[board]
    joint = ((columns * 4) % 1 < 0.05) | (np.abs(rows - rng.random(4)[board]) < 0.008)
    fibre = smooth_noise(rng, n, (4, 64))
    return _blend(rng, np.where(joint, 1.2, 0.5 * tone + 0.4 * fibre), 0.55)


def dots(rng: np.random.Generator, n: int) -> Image:
    """Held out: polka dots."""
    rows, columns = _grid(n)
    count, radius = int(rng.choice([4, 6, 8])), rng.uniform(0.2, 0.4)
    down = (rows * count) % 1 - 0.5
    across = (columns * count + 0.5 * (np.floor(rows * count) % 2)) % 1 - 0.5
    dot = (np.hypot(down, across) < radius).astype(np.float32)
    return _blend(rng, dot + _grain(rng, n), rng.uniform(0.3, 0.6))


def zigzag(rng: np.random.Generator, n: int) -> Image:
    """Held out: herringbone or chevrons."""
    rows, columns = _grid(n)
    fold = np.abs((columns * 4) % 1 - 0.5)
    bands = np.floor((rows * 8 + 2 * fold) % 8).astype(int)
    edge = ((rows * 8 + 2 * fold) % 1 < 0.1).astype(np.float32)
    return _blend(rng, np.maximum(rng.random(8)[bands], edge) + _grain(rng, n), 0.55)


def marble(rng: np.random.Generator, n: int) -> Image:
    """Held out: veins through warped noise."""
    rows, columns = _grid(n)
    warp = smooth_noise(rng, n, (4, 4)) + 0.5 * smooth_noise(rng, n, (8, 8))
    veins = np.abs(np.sin(np.pi * (2 * rows + 2 * columns + 2.5 * warp)))
    return _blend(rng, np.asarray(1 - veins**0.4, np.float32) + _grain(rng, n, 0.06), 0.6)


def plaid(rng: np.random.Generator, n: int) -> Image:
    """Held out: crossing bands, as on a blanket."""
    rows, columns = _grid(n)
    count = int(rng.choice([2, 4]))
    down, across = (rows * count) % 1 < 0.45, (columns * count) % 1 < 0.45
    thin = ((rows * count) % 1 > 0.9) | ((columns * count) % 1 > 0.9)
    amount = 0.45 * down + 0.45 * across + 0.3 * thin
    return _blend(rng, np.asarray(amount, np.float32) + _grain(rng, n), 0.6)


def cells(rng: np.random.Generator, n: int) -> Image:
    """Held out: irregular stones or patches (a Voronoi pattern)."""
    rows, columns = _grid(n)
    points, tones = rng.random((14, 2)), rng.random(14)
    down = np.abs(rows[..., None] - points[:, 0])
    across = np.abs(columns[..., None] - points[:, 1])
    away = np.hypot(np.minimum(down, 1 - down), np.minimum(across, 1 - across))
    nearest, second = np.moveaxis(np.partition(away, 1, axis=-1)[..., :2], -1, 0)
    amount = np.where(second - nearest < 0.02, 1.2, tones[away.argmin(-1)] * 0.7)
    return _blend(rng, np.asarray(amount, np.float32) + _grain(rng, n), 0.55)


def burl(rng: np.random.Generator, n: int) -> Image:
    """Held out: wood with knots instead of straight grain."""
    noise = smooth_noise(rng, n, (3, 5))
    return _blend(rng, np.asarray(0.5 + 0.5 * np.sin(24 * noise), np.float32), 0.45)


FAMILIES: dict[str, dict[str, tuple[Generator, ...]]] = {
    "wall": {"A": (clouds, clouds, stripes, bricks), "B": (dots, plaid, zigzag)},
    "floor": {"A": (planks, planks, checker, speckle), "B": (cells, zigzag, marble)},
    "wood": {"A": (wood,), "B": (burl, marble)},
    "fabric": {"A": (speckle, stripes, clouds), "B": (plaid, dots, cells)},
    "paint": {"A": (clouds,), "B": (marble,)},
}
"""Generators of each family of material, by texture pool."""


def make_texture(rng: np.random.Generator, family: str, pool: str, n: int) -> NDArray[np.uint8]:
    """Return one random texture of a family from pool ``A`` or ``B``: ``(n, n, 3)`` uint8 RGB."""
    choices = FAMILIES[family][pool]
    image = choices[int(rng.integers(len(choices)))](rng, n)
    return np.asarray(np.clip(image, 0.0, 1.0) * 255.0 + 0.5, np.uint8)
