"""The plots of a study as PNG: readable at 800 pixels of width, for all kinds of colour vision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtshare_ros.bench.figures import COLOURS, legend_below, new_figure, save_figure
from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.study.learning_curves import Curve

_DASHES = ("-", "--", ":", "-.")
_MARKS = ("s", "D", "^", "v", "P", "X", "*")


def accuracy_over_time(results: dict[str, Any], timing: dict[str, Any], path: Path) -> None:
    """Draw Delta_m against measured time, a panel for each share of dirty tokens.

    Systems of one group that have a rho are joined, from fast to slow; the others are hollow
    marks.

    Args:
        results: Content of ``results.json``.
        timing: Content of ``timing.json``.
        path: PNG file to write.
    """
    rows = [row for row in results["systems"] if row["plotted"] and row["delta_m"] is not None]
    fractions = timing["fractions"]
    figure, panels = new_figure(5.2, 1, len(fractions), sharey=True)
    for panel, fraction in zip(panels, fractions, strict=True):
        times = {c["system"]: c["p50_ms"] for c in timing["cases"] if c["fraction"] == fraction}
        shown = [row for row in rows if row["name"] in times]
        _draw_families(panel, shown, times, labelled=panel is panels[0])
        _draw_single(panel, shown, times)
        panel.axhline(0, color="#999999", linewidth=0.8, zorder=0)
        # Equal distances are equal factors of speed.
        panel.set_xscale("log")
        panel.xaxis.set_major_formatter("{x:g}")
        panel.xaxis.set_minor_formatter("{x:g}")
        panel.tick_params(which="both", labelsize=8)
        panel.margins(x=0.1)
        panel.set_xlabel("ms per frame, median")
        title = (
            "every token recomputed" if fraction == 1 else f"{100 * fraction:g} % of the tokens"
        )
        panel.set_title(title, fontsize=10)
    panels[0].set_ylabel(f"Δm against {_title(results)}, %   (numbers: ρ)")
    legend_below(figure, panels)
    save_figure(figure, path)


def _draw_families(
    panel: Any, rows: Sequence[dict[str, Any]], times: Mapping[str, float], *, labelled: bool
) -> None:
    """Draw each group's systems that have a rho, joined from fast to slow, a colour each."""
    families: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if _in_family(row):
            families.setdefault(row["group"], []).append(row)
    for number, (group, members) in enumerate(families.items()):
        members.sort(key=lambda row: times[row["name"]])
        colour = COLOURS[number % len(COLOURS)]
        look = {"color": colour, "marker": "o", "linestyle": "-", "linewidth": 1.4}
        _draw(panel, members, times, markersize=5, label=group, **look)
        for place, row in enumerate(members if labelled else ()):
            panel.annotate(
                f"{row['rho']:.2g}",
                (times[row["name"]], row["delta_m"]["value"]),
                xytext=(5, -9 if place % 2 else 6),
                textcoords="offset points",
                fontsize=7.5,
                color=colour,
            )


def _draw_single(panel: Any, rows: Sequence[dict[str, Any]], times: Mapping[str, float]) -> None:
    """Draw the systems that stand alone as hollow marks."""
    single = [row for row in rows if not _in_family(row)]
    for number, row in enumerate(single):
        look = {"color": "#444444", "linestyle": "none", "markerfacecolor": "white"}
        mark = _MARKS[number % len(_MARKS)]
        _draw(panel, [row], times, markersize=8, marker=mark, label=row["title"], **look)


def _in_family(row: dict[str, Any]) -> bool:
    return bool(row["group"]) and row["rho"] is not None


def _draw(
    panel: Any, rows: Sequence[dict[str, Any]], times: Mapping[str, float], **look: Any
) -> None:
    deltas = [row["delta_m"] for row in rows]
    y = np.array([delta["value"] for delta in deltas])
    ends = np.array([[delta["low"], delta["high"]] for delta in deltas]).T
    panel.errorbar(
        [times[row["name"]] for row in rows],
        y,
        yerr=np.abs(ends - y),
        elinewidth=0.9,
        capsize=2.5,
        **look,
    )


def learning_curves(curves: Sequence[Curve], path: Path) -> None:
    """Draw the smoothed training loss over the steps, a panel for each task.

    Args:
        curves: The curves; a stage has one look in every panel.
        path: PNG file to write.
    """
    tasks = list(dict.fromkeys(curve.task for curve in curves))
    stages = list(dict.fromkeys(curve.stage for curve in curves))
    figure, panels = new_figure(4.6, 1, len(tasks), sharex=True)
    for panel, task in zip(panels, tasks, strict=True):
        for curve in (c for c in curves if c.task == task):
            number = stages.index(curve.stage)
            panel.plot(
                curve.steps,
                curve.loss,
                color=COLOURS[number % len(COLOURS)],
                linestyle=_DASHES[number // len(COLOURS) % len(_DASHES)],
                linewidth=1.4,
                label=curve.stage,
            )
        panel.set_yscale("log")
        panel.yaxis.set_minor_formatter("{x:.2g}")
        panel.yaxis.set_major_formatter("{x:.2g}")
        panel.tick_params(which="minor", labelsize=7)
        panel.set_title(task, fontsize=10)
        panel.set_xlabel("steps, the base's included", fontsize=9)
    panels[0].set_ylabel("training loss, smoothed")
    legend_below(figure, panels, order=stages)
    save_figure(figure, path)


def private_shares(
    shares: Mapping[str, Sequence[LayerShare]], whole: LayerShare, path: Path
) -> None:
    """Draw the private share of every block as bars: heads above, hidden neurons below.

    Args:
        shares: Sub-task -> private units of each block.
        whole: Heads and hidden neurons of a block of the base.
        path: PNG file to write.
    """
    figure, panels = new_figure(3.8, 2, 1, sharex=True)
    blocks = np.arange(max(len(layers) for layers in shares.values()))
    bar = 0.8 / len(shares)
    for panel, kind, of in (
        (panels[0], "heads", whole.heads),
        (panels[1], "neurons", whole.neurons),
    ):
        for number, (task, layers) in enumerate(shares.items()):
            counts = np.array([getattr(layer, kind) for layer in layers])
            bars = panel.bar(
                blocks + (number - (len(shares) - 1) / 2) * bar,
                100.0 * counts / of,
                width=bar,
                color=COLOURS[number % len(COLOURS)],
                label=task,
            )
            if len(blocks) * len(shares) <= 24:
                panel.bar_label(bars, [str(count) for count in counts], fontsize=8, padding=1)
        panel.set_ylabel(f"{kind}, % of {of}")
        panel.margins(y=0.18)
    panels[1].set_xlabel("block")
    panels[1].set_xticks(blocks)
    legend_below(figure, panels)
    save_figure(figure, path)


def _title(results: dict[str, Any]) -> str:
    name = results["reference"]
    return str(next(row["title"] for row in results["systems"] if row["name"] == name)).lower()
