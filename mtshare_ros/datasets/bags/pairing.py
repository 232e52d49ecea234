"""Which message of truth belongs to which image: the one with the nearest stamp, or none.

Two different images with the same stamp can't be told apart by it. Their truth is refused: a score
against the truth of another image would be a wrong number without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LONGEST_WAIT = 15
"""Images between an image and its truth, in the order of the bag, above which they are not
brought together: those in between have to be kept in memory."""

SECOND = 1_000_000_000


class Stamped(NamedTuple):
    """A message of truth.

    Attributes:
        stamp: Of its header, in nanoseconds; None if it can't be read.
        images: How many images come before it in the bag.
    """

    stamp: int | None
    images: int


@dataclass(frozen=True)
class Pairing:
    """The truth of a topic, brought together with the images.

    Attributes:
        image_of: Number of a message of truth -> number of its image.
        messages: Messages of truth.
        largest_offset: Largest difference between the stamps of the two, in nanoseconds.
        problem: What is wrong, if most of the truth has no image; else empty.
    """

    image_of: Mapping[int, int] = field(default_factory=dict)
    messages: int = 0
    largest_offset: int = 0
    problem: str = ""


class ImageStamps:
    """The stamps of a bag's images, to find those that belong to truth."""

    def __init__(self, topic: str, stamps: Sequence[int | None]) -> None:
        """Take the stamps of a topic's images in the order of the bag; None can't be read."""
        self._topic = topic
        self._count = len(stamps)
        readable = [(stamp, n) for n, stamp in enumerate(stamps) if stamp is not None]
        readable.sort()
        self._stamps: NDArray[np.int64] = np.array([s for s, _ in readable], np.int64)
        self._numbers = [n for _, n in readable]
        distinct, counts = np.unique(self._stamps, return_counts=True)
        self._shared = set(distinct[counts > 1].tolist())
        self._alike = int(counts[counts > 1].sum())
        self._period = float(np.median(np.diff(distinct))) if len(distinct) > 1 else 0.0

    def pair(self, topic: str, truth: Sequence[Stamped]) -> Pairing:
        """Return which truth of a topic belongs to which image; each has at most one."""
        repeated = _repeated(stamped.stamp for stamped in truth)
        best: dict[int, tuple[int, int]] = {}
        off: list[int] = []
        refused = late = 0
        for number, (stamp, images) in enumerate(truth):
            if stamp is None or not len(self._stamps):
                continue
            place = self._nearest(stamp)
            found = int(self._stamps[place])
            offset = abs(found - stamp)
            if offset and 2 * offset >= self._period:
                off.append(offset)
                continue
            if found in self._shared or stamp in repeated:
                refused += 1
                continue
            image = self._numbers[place]
            if not -LONGEST_WAIT <= images - 1 - image <= LONGEST_WAIT:
                late += 1
            elif image not in best or offset < best[image][0]:
                best[image] = (offset, number)
        return Pairing(
            image_of={number: image for image, (_, number) in best.items()},
            messages=len(truth),
            largest_offset=max((offset for offset, _ in best.values()), default=0),
            problem=self._problem(topic, len(truth), len(best), refused, late, off),
        )

    def _nearest(self, stamp: int) -> int:
        right = int(np.searchsorted(self._stamps, stamp))
        around = [place for place in (right - 1, right) if 0 <= place < len(self._stamps)]
        return min(around, key=lambda place: abs(int(self._stamps[place]) - stamp))

    def _problem(
        self, topic: str, count: int, paired: int, refused: int, late: int, off: Sequence[int]
    ) -> str:
        """Return what to tell of the truth that has no image, if it is a reason to doubt."""
        reasons = []
        if refused:
            if self._alike:
                stamp = min(self._shared)
                reasons.append(
                    f"{self._alike} of {self._count} images on /{self._topic} share their stamp"
                    f" with another, such as {stamp // SECOND}.{stamp % SECOND:09d} s"
                )
            else:
                reasons.append(f"{refused} of its messages share their stamp with another")
        if late:
            reasons.append(f"{late} come more than {LONGEST_WAIT} images from their image")
        if off and 2 * paired < min(count, self._count) and not reasons:
            reasons.append(
                f"{len(off)} are {min(off) / 1e6:.3f} ms or more from every image; expected less"
                f" than half the images' period, {self._period / 2e6:.3f} ms"
            )
        if not reasons and (paired or not count):
            return ""
        used = "none" if not paired else f"only {paired}"
        return f"/{topic}: {used} of {count} messages of truth used: " + (
            "; ".join(reasons) or "no image has a stamp that can be read"
        )


def _repeated(stamps: Iterable[int | None]) -> set[int]:
    """Return the stamps that are there more than once."""
    seen: set[int] = set()
    twice: set[int] = set()
    for stamp in stamps:
        if stamp is not None:
            (twice if stamp in seen else seen).add(stamp)
    return twice
