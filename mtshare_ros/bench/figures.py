"""What plots have in common: readable at 800 pixels of width, for all kinds of colour vision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtshare_ros.errors import written

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours, without the yellow that is too light on white."""
WIDTH = 8.0
"""Width of a plot in inches."""
_DPI = 200


def new_figure(height: float, rows: int, columns: int, **options: Any) -> tuple[Any, list[Any]]:
    """Return a figure of ``WIDTH`` and a height in inches, and its panels row by row."""
    # The object interface: no global state of pyplot, no window system.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), dpi=_DPI, layout="constrained")
    panels = list(np.ravel(figure.subplots(rows, columns, squeeze=False, **options)))
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=9)
        panel.xaxis.label.set_size(10)
        panel.yaxis.label.set_size(10)
    return figure, panels


def legend_below(figure: Any, panels: Sequence[Any], order: Sequence[str] = ()) -> None:
    """Put one legend for all panels below them, each label once."""
    handles: dict[str, Any] = {}
    for panel in panels:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    labels = [*order] or list(handles)
    figure.legend(
        [handles[label] for label in labels],
        labels,
        loc="outside lower center",
        ncols=min(3, len(handles)),
        fontsize=9,
        frameon=False,
    )


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written(path):
        # Whatever the file's name ends with.
        figure.savefig(path, format="png")
