"""Which seeds train, validate, test and measure, and which textures each range may use."""

from __future__ import annotations

SPLITS = {
    "train": range(0, 100_000),
    "validation": range(100_000, 200_000),
    "test": range(200_000, 300_000),
    "benchmark": range(300_000, 400_000),
    "spare": range(400_000, 900_000),
}
"""Seeds of each split. 900000 and above are ``reserved``: never used in training or tuning."""

TEXTURES = ("A", "B", "mix")
"""``A``: seen in training; ``B``: held out, with furniture variants of its own; ``mix``: both."""

_TEXTURES_OF_SPLIT = {"train": "A", "validation": "A"}


def split_of(seed: int) -> str:
    """Return the split that a seed belongs to: a key of ``SPLITS``, or ``reserved``."""
    if seed < 0:
        raise ValueError(f"seed {seed}: expected a number that is not negative")
    for name, seeds in SPLITS.items():
        if seed in seeds:
            return name
    return "reserved"


def textures_of(seed: int, textures: str = "auto") -> str:
    """Return the texture pool of a room: that of the seed's split, or the one asked for.

    Args:
        seed: Seed of the room.
        textures: ``auto``, or one of ``TEXTURES``.
    """
    if textures == "auto":
        return _TEXTURES_OF_SPLIT.get(split_of(seed), "mix")
    if textures not in TEXTURES:
        raise ValueError(f"textures {textures!r}: expected auto, {', '.join(TEXTURES)}")
    return textures


def related_seed(seed: int, number: int) -> int:
    """Return the seed of another room of the same split; ``number`` 0 gives the seed itself."""
    moved = seed + 7919 * number
    split = split_of(seed)
    if split not in SPLITS:
        return moved
    seeds = SPLITS[split]
    return seeds[(moved - seeds.start) % len(seeds)]
