"""The two plots of a benchmark: time over the share of dirty tokens, and over the tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtshare_ros.bench.bench_tables import label_of, title_of
from mtshare_ros.bench.benchmark_page import plot_path
from mtshare_ros.bench.figures import COLOURS, legend_below, new_figure, save_figure
from mtshare_ros.bench.result_reader import main_count, rows_of, time_of

_OURS, _SHARED, _SEPARATE, _HOLD = COLOURS[0], COLOURS[1], COLOURS[6], COLOURS[2]
_COLUMNS = 3
_SHOWN = 3
_MARKS = ("o", "^", "v")
Panel = tuple[str, list[dict[str, Any]]]
"""Title and rows of a setting."""


def draw(result: dict[str, Any], path: Path) -> list[Path]:
    """Draw the plots that there are numbers for, beside the result's file; return the files."""
    numbers = range(len(result["settings"]))
    order = sorted(numbers, key=lambda number: _size_and_width(result["settings"][number]))
    panels = [(title_of(result["settings"][n]), rows_of(result, n)) for n in order]
    files = []
    for kind, enough, draw_panel in (
        ("fractions", _has_fractions, over_fractions),
        ("tasks", _has_tasks, over_tasks),
    ):
        shown = [panel for panel in panels if enough(panel[1])]
        if shown:
            files.append(plot_path(path, kind))
            _draw_panels(shown, draw_panel, files[-1])
    return files


def over_fractions(panel: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Draw a setting's time over the share of dirty tokens, and the ideal ``t_dense * work``."""
    count = main_count({row["tasks"] for row in rows})
    rows = [row for row in rows if row["tasks"] == count]
    for kind, colour, style in (("separate", _SEPARATE, "-"), ("shared", _SHARED, "--")):
        for row in rows:
            if row["kind"] == kind:
                look = {"color": colour, "linestyle": style, "linewidth": 1.4}
                panel.axhline(time_of(row), label=label_of(row), **look)
    streams = _of_kind(rows, "stream")
    fractions = [row["fraction"] for row in streams]
    if all("ideal_ms" in row for row in streams):
        # Work is a line in the share of tokens; it bends where the axes are logarithmic.
        x = np.geomspace(fractions[0], fractions[-1], 50)
        ideal = np.interp(x, fractions, [row["ideal_ms"] for row in streams])
        panel.plot(x, ideal, ":", color=_OURS, linewidth=1.4, label="ideal: separate × work")
    times = [time_of(row) for row in streams]
    panel.plot(fractions, times, "o-", color=_OURS, markersize=5, label="base and sub-tasks")
    held = _of_kind(rows, "hold")
    if held:
        look = {"color": _HOLD, "markerfacecolor": "white", "markersize": 6}
        x_held = [row["fraction"] for row in held]
        label = "all tokens in 1 frame of k, held between: mean, at 1/k"
        panel.plot(x_held, [time_of(row) for row in held], "D", label=label, **look)
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xticks(fractions, [_as_ratio(fraction) for fraction in fractions])
    panel.minorticks_off()
    low, high = panel.get_ylim()
    panel.set_yticks(ticks := _round_ticks(low, high), [f"{tick:g}" for tick in ticks])
    panel.set_xlabel(f"share of dirty tokens, {count} tasks")


def over_tasks(panel: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Draw a setting's time over the number of tasks."""
    for kind, colour, mark in (("separate", _SEPARATE, "s-"), ("shared", _SHARED, "D--")):
        _line(panel, _of_kind(rows, kind), mark, colour)
    streams = _of_kind(rows, "stream")
    fractions = sorted({row["fraction"] for row in streams}, reverse=True)
    if len(fractions) > _SHOWN:
        middle = min(fractions[1:-1], key=lambda fraction: abs(fraction - 0.25))
        fractions = [fractions[0], middle, fractions[-1]]
    for fraction, mark in zip(fractions, _MARKS, strict=False):
        _line(panel, [r for r in streams if r["fraction"] == fraction], f"{mark}-", _OURS)
    counts = sorted({row["tasks"] for row in rows})
    panel.set_xticks(counts)
    panel.set_ylim(bottom=0)
    panel.set_xlabel("tasks")


def _size_and_width(setting: dict[str, Any]) -> tuple[list[int], int]:
    """Return what panels are ordered by: a row for each size, rising widths in it."""
    return setting["network"]["size"], setting["network"]["width"]


def _draw_panels(
    panels: Sequence[Panel],
    draw_panel: Callable[[Any, Sequence[dict[str, Any]]], None],
    path: Path,
) -> None:
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = new_figure(1.2 + 2.7 * rows, rows, columns)
    for axis, (title, shown) in zip(axes, panels, strict=False):
        draw_panel(axis, shown)
        axis.set_title(title.replace(": ", ":\n"), fontsize=9)
    for axis in axes[::columns]:
        axis.set_ylabel("ms per frame")
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    legend_below(figure, axes[: len(panels)])
    save_figure(figure, path)


def _line(panel: Any, rows: Sequence[dict[str, Any]], style: str, colour: str) -> None:
    if rows:
        rows = sorted(rows, key=lambda row: int(row["tasks"]))
        look = {"color": colour, "markersize": 5, "linewidth": 1.4, "label": _legend(rows[0])}
        panel.plot([row["tasks"] for row in rows], [time_of(row) for row in rows], style, **look)


def _legend(row: dict[str, Any]) -> str:
    text = label_of(row)
    return f"base and sub-tasks, {text}" if row["kind"] == "stream" else text


def _of_kind(rows: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Return the rows of a kind, by rising share of tokens."""
    return sorted((r for r in rows if r["kind"] == kind), key=lambda r: float(r["fraction"]))


def _has_fractions(rows: Sequence[dict[str, Any]]) -> bool:
    count = main_count({row["tasks"] for row in rows})
    shown = [row for row in rows if row["kind"] == "stream" and row["tasks"] == count]
    return len({row["fraction"] for row in shown}) > 2


def _has_tasks(rows: Sequence[dict[str, Any]]) -> bool:
    return len({row["tasks"] for row in rows}) > 1


def _as_ratio(fraction: float) -> str:
    inverse = round(1 / fraction)
    if abs(inverse * fraction - 1) > 0.01:
        return f"{fraction:.2g}"
    return "1" if inverse == 1 else f"1/{inverse}"


def _round_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten within two limits."""
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    return [float(t) for power in powers for t in power * np.array([1, 2, 5]) if low <= t <= high]
