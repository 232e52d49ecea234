"""The plots of reuse over time as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.ticker import LogLocator

from mtshare_ros.bench.figures import COLOURS, legend_below, new_figure, save_figure
from mtshare_ros.evaluation.pictures.map_pictures import dirty_picture
from mtshare_ros.study.reuse.played_clips import Clip, Track
from mtshare_ros.study.reuse.reuse_summary import kind_of
from mtshare_ros.tasks import KINDS, Task

_LOOKS = {
    "tokens": {"color": COLOURS[0], "marker": "o", "linestyle": "-"},
    "hold": {"color": COLOURS[1], "marker": "s", "linestyle": "--"},
    "warp": {"color": COLOURS[2], "marker": "^", "linestyle": ":"},
    "carry": {"color": COLOURS[3], "marker": "D", "linestyle": "-"},
}
_TITLES = {
    "tokens": "recomputed tokens, by budget",
    "hold": "every k-th dense frame held",
    "warp": "held and warped with optical flow",
    "carry": "carried along with the image's and the camera's motion",
}


def error_over_time(kinds: Sequence[dict[str, Any]], tasks: Sequence[Task], path: Path) -> None:
    """Draw the mean error against the mean time of every way: a column a kind, a row a task.

    Args:
        kinds: Content of ``kinds`` in ``reuse.json``.
        tasks: The bundle's tasks.
        path: PNG file to write.
    """
    figure, panels = new_figure(2.3 * len(tasks) + 0.6, len(tasks), len(kinds), sharex=True)
    for number, panel in enumerate(panels):
        task, kind = tasks[number // len(kinds)], kinds[number % len(kinds)]
        sorts = dict.fromkeys(_sort(way) for way in kind["ways"] if way["policy"] != "dense")
        for place, sort in enumerate(sorts):
            look = _LOOKS.get(sort, {"color": COLOURS[place % len(COLOURS)], "marker": "."})
            ways = [way for way in kind["ways"] if _sort(way) == sort]
            ways.sort(key=lambda way: way["mean_ms"])
            x, y = [w["mean_ms"] for w in ways], [w["error"][task.name] for w in ways]
            panel.plot(x, y, markersize=4, linewidth=1.2, label=_TITLES.get(sort, sort), **look)
        dense = next(way for way in kind["ways"] if way["policy"] == "dense")
        panel.axvline(dense["mean_ms"], color="#999999", linewidth=0.8, label="dense")
        panel.set_xscale("log")
        panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        panel.xaxis.set_major_formatter("{x:g}")
        panel.xaxis.set_minor_formatter("")
        panel.tick_params(which="both", labelsize=7)
        panel.set_ylim(bottom=0)
        if number < len(kinds):
            panel.set_title(kind["name"], fontsize=10)
        if number % len(kinds) == 0:
            panel.set_ylabel(f"{task.name}:\n{KINDS[task.kind].disagreement}", fontsize=8)
        if number >= len(kinds) * (len(tasks) - 1):
            panel.set_xlabel("ms per frame, mean", fontsize=9)
    legend_below(figure, panels)
    save_figure(figure, path)


def frames(clip: dict[str, Any], tasks: Sequence[Task], names: Sequence[str], path: Path) -> None:
    """Draw error and time of some ways, frame by frame: a row a task, and one of the time.

    Args:
        clip: One of ``clips`` in ``reuse.json``.
        tasks: The bundle's tasks.
        names: The ways to draw.
        path: PNG file to write.
    """
    figure, panels = new_figure(1.7 * (len(tasks) + 1) + 0.6, len(tasks) + 1, 1, sharex=True)
    ways = {way["name"]: way for way in clip["ways"]}
    for number, name in enumerate(names):
        look = {"color": COLOURS[number % len(COLOURS)], "linewidth": 1.0, "label": name}
        for task, panel in zip(tasks, panels, strict=False):
            panel.plot(ways[name]["errors"][task.name], **look)
        panels[-1].plot(ways[name]["ms"], **look)
    for task, panel in zip(tasks, panels, strict=False):
        panel.set_ylabel(f"{task.name}:\n{KINDS[task.kind].disagreement}", fontsize=7)
    panels[-1].set_ylabel("ms", fontsize=9)
    panels[-1].set_xlabel("frame")
    panels[0].set_title(clip["name"], fontsize=10)
    legend_below(figure, panels)
    save_figure(figure, path)


def strips(rows: Sequence[tuple[Clip, Track]], path: Path) -> None:
    """Draw the recomputed tokens of a few frames of each clip: a row a clip.

    Args:
        rows: Each clip and the way that is shown.
        path: PNG file to write.
    """
    columns = max(len(clip.pictures) for clip, _ in rows)
    figure, panels = new_figure(1.45 * len(rows), len(rows), columns)
    for panel in panels:
        panel.set_axis_off()
    for row, (clip, track) in enumerate(rows):
        for column, (number, picture) in enumerate(clip.pictures.items()):
            panel, dirty = panels[row * columns + column], track.dirty[number]
            panel.imshow(dirty_picture(picture, dirty))
            share = f"frame {number}: {100 * dirty.mean():.0f} %"
            title = share if column else f"{kind_of(clip.name)}, {share}"
            panel.set_title(title, fontsize=6, loc="left")
    save_figure(figure, path)


def _sort(way: dict[str, Any]) -> str:
    return str(way["policy"]).partition(":")[0]
