"""Truth that follows from the class ids of simulated rooms: boundaries and salient things.

Nothing is stored for these tasks: data with labels has their truth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.tasks import ROOM_CLASSES, SALIENT_CLASSES, UNLABELLED

Labels = NDArray[Any]
"""(..., H, W) class ids, 255 unlabelled."""

_SALIENCE = np.zeros(256, np.float32)
_SALIENCE[[i for i, c in enumerate(ROOM_CLASSES) if c.name in SALIENT_CLASSES]] = 1.0
_SALIENCE[UNLABELLED] = np.nan


def boundaries(labels: Labels) -> NDArray[np.float32]:
    """Return 1 where the class changes to the right or below, else 0; lines are one pixel wide.

    The line lies on the left or the upper side of a change; the pixel on its other side is 0.
    Derive it at the size at which it is used: resizing makes holes in a line, or makes it thick.
    A pixel is NaN if it is unlabelled, or if it shows no change and the neighbour to the right or
    below is unlabelled. A change to unlabelled is no boundary.

    Returns:
        (..., H, W) float32.
    """
    labelled = labels != UNLABELLED
    edge = np.zeros(labels.shape, np.bool_)
    unknown = ~labelled
    for here, there in (
        (np.s_[..., :, :-1], np.s_[..., :, 1:]),
        (np.s_[..., :-1, :], np.s_[..., 1:, :]),
    ):
        edge[here] |= (labels[here] != labels[there]) & labelled[here] & labelled[there]
        unknown[here] |= ~labelled[there]
    truth = edge.astype(np.float32)
    truth[unknown & ~edge] = np.nan
    return truth


def saliency(labels: Labels) -> NDArray[np.float32]:
    """Return 1 on the classes of ``tasks.SALIENT_CLASSES``, 0 on others, NaN where unlabelled.

    Returns:
        (..., H, W) float32.
    """
    return _SALIENCE[labels]


DERIVED: dict[str, Callable[[Labels], NDArray[np.float32]]] = {
    "boundary": boundaries,
    "saliency": saliency,
}
"""Kind of task -> its truth from labels."""
