"""Plots of a report as SVG: legible at their width, and for all kinds of colour vision."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.evaluation.latency import PERCENTILES, TOTAL
from mtshare_ros.evaluation.scores import Scores
from mtshare_ros.evaluation.series import Series
from mtshare_ros.metrics.names import METRICS
from mtshare_ros.perception.selection import DENSE

STAGE_COLOURS = ("#0072B2", "#56B4E9", "#009E73", "#F0E442", "#E69F00", "#CC79A7", "#999999")
"""Okabe and Ito's colours for all kinds of colour vision; grey is for the other stages."""
RUN, REFERENCE, SLOW, INK = "#0072B2", "#767676", "#D55E00", "#1d2530"
OTHERS = "others"

Times = Mapping[str, Mapping[str, float]]
"""Stage -> ``p50``, ``p95``, ``p99`` (and more) in milliseconds."""


@dataclass(frozen=True)
class Layout:
    """Width of a plot and place of its axes, in inches of 96 pixels.

    Attributes:
        width: Width of the whole plot.
        left: Space on the left of the axes.
        right: Space on the right of the axes.
    """

    width: float
    left: float
    right: float

    @property
    def ends(self) -> tuple[float, float]:
        """Left and right end of the axes, as shares of the width."""
        return self.left / self.width, 1 - self.right / self.width


WIDE = Layout(11.6, 0.62, 0.25)
HALF = Layout(5.6, 1.15, 0.3)
NARROW = Layout(3.5, 0.46, 0.16)
NARROW_BARS = Layout(3.5, 1.0, 0.2)


def timeline(scores: Scores, layout: Layout) -> str:
    """Return time per stage, dirty tokens and each task's accuracy over the frames, as SVG.

    A recorded bag has no times of single frames, which are then left out. Without ground truth,
    the disagreement with the dense network is drawn instead of the accuracy.
    """
    series = scores.series
    stages = _stages(series)
    rows: list[tuple[float, Any]] = []
    if f"ms.{TOTAL}" in series:
        rows.append((2.4, lambda axis: _draw_stages(axis, scores, stages, layout)))
    if "dirty_fraction" in series:
        rows.append((0.9, lambda axis: _draw_dirty(axis, series)))
    for task in scores.tasks:
        key = task.metrics[0]
        for name, title, factor in (
            (f"{task.name}.{key}", _metric_title(task.name, key), METRICS[key].factor),
            (f"disagreement.{task.name}", f"{task.name}: distance from the dense network", 1.0),
        ):
            if name in series:
                rows.append((1.1, _drawn_curve(series, name, title, factor)))
                break
    figure, axes = _figure(layout, [height for height, _ in rows], gap=0.5)
    for axis, (_, draw) in zip(axes, rows, strict=True):
        draw(axis)
        axis.set_xlim(0, max(scores.frames - 1, 1))
        axis.xaxis.get_major_locator().set_params(integer=True, nbins=8 if layout is WIDE else 4)
    shared = series.frames_per_entry
    axes[-1].set_xlabel("frame" if shared == 1 else f"frame (means over {shared} frames)")
    return _svg(figure)


def stage_bars(latency: Times, layout: Layout) -> str:
    """Return a bar to the median of each stage, with marks at the 95th and 99th percentile."""
    stages = list(latency)[::-1]
    figure, (axis,) = _figure(layout, [0.3 * len(stages)], gap=0.0, top=0.36)
    values = {key: [latency[stage][key] for stage in stages] for key in PERCENTILES}
    colours = [INK if stage == TOTAL else RUN for stage in stages]
    median = axis.barh(stages, values["p50"], color=colours, height=0.6, label="p50")
    axis.hlines(stages, values["p50"], values["p99"], color=SLOW, linewidth=1)
    marks = axis.plot(values["p95"], stages, "|", color=SLOW, markersize=9, mew=2, label="p95")
    marks += axis.plot(values["p99"], stages, "D", color=SLOW, markersize=4, label="p99")
    axis.set_yticks(range(len(stages)), [stage.replace("_", " ") for stage in stages])
    axis.set_xlim(left=0)
    axis.set_xlabel("ms")
    axis.legend(
        handles=[median, *marks], loc="lower right", bbox_to_anchor=(1, 1), ncols=3,
        frameon=False, fontsize=9,
    )  # fmt: skip
    return _svg(figure)


def _stages(series: Series) -> list[str]:
    """Return the stages, but for the total; the costliest first."""
    names = [name for name in series.names if name.startswith("ms.") and name != f"ms.{TOTAL}"]
    sums = {name: float(series.shares(name).sum()) for name in names}
    return sorted(sums, key=lambda name: -sums[name])


def _draw_stages(axis: Any, scores: Scores, stages: Sequence[str], layout: Layout) -> None:
    series, starts = scores.series, scores.series.starts
    shown = list(stages[: len(STAGE_COLOURS) - 1])
    layers = [series.shares(name) for name in shown]
    labels = [name.removeprefix("ms.").replace("_", " ") for name in shown]
    total = series.shares(f"ms.{TOTAL}")
    # The rest is the time in no stage and that of the stages which take least.
    layers.append(np.clip(total - np.sum(layers, axis=0), 0, None))
    labels.append(OTHERS)
    colours = [*STAGE_COLOURS[: len(shown)], STAGE_COLOURS[-1]]
    axis.stackplot(starts, layers, labels=labels, colors=colours, linewidth=0, step=None)
    name = f"{DENSE}.ms.{TOTAL}"
    top = float(total.max())
    if name in series:
        dense = series.values(name)
        axis.plot(starts, dense, color=INK, linewidth=0.9, label="dense network, total")
        top = max(top, float(np.nanmax(dense)))
    summary = scores.latency.result()[TOTAL]
    for key, style in (("p50", "-"), ("p95", "--"), ("p99", ":")):
        value = summary[key]
        axis.axhline(value, color=SLOW, linewidth=1.3, linestyle=style, label=f"{key} {value:.1f}")
    axis.set_ylim(0, 1.08 * max(top, summary["p99"], 1e-3))
    _title(axis, "time per frame by stage, ms")
    columns = 6 if layout is WIDE else 2
    axis.legend(
        loc="lower left", bbox_to_anchor=(0, 1.12 if layout is WIDE else 1.11), ncols=columns,
        frameon=False, fontsize=9, handlelength=1.4, columnspacing=1.2, borderaxespad=0,
    )  # fmt: skip


def _draw_dirty(axis: Any, series: Series) -> None:
    percent = 100 * series.values("dirty_fraction")
    axis.fill_between(series.starts, np.nan_to_num(percent), color="#E69F00", linewidth=0)
    axis.set_ylim(0, 105)
    axis.set_yticks([0, 50, 100])
    _title(axis, "recomputed (dirty) tokens, %")


def _drawn_curve(series: Series, name: str, title: str, factor: float) -> Any:
    def draw(axis: Any) -> None:
        if f"{DENSE}.{name}" in series:
            dense = factor * series.values(f"{DENSE}.{name}")
            axis.plot(series.starts, dense, "--", color=REFERENCE, linewidth=1.1)
        values: NDArray[np.float64] = factor * series.values(name)
        marker = "." if len(values) < 3 else None
        axis.plot(series.starts, values, color=RUN, linewidth=1.4, marker=marker)
        axis.yaxis.get_major_locator().set_params(nbins=4)
        _title(axis, title)

    return draw


def _metric_title(task: str, key: str) -> str:
    metric = METRICS[key]
    unit = f", {metric.unit}" if metric.unit else ""
    better = "higher" if metric.higher_is_better else "lower"
    return f"{task}: {metric.name}{unit} ({better} is better)"


def _title(axis: Any, text: str) -> None:
    axis.set_title(text, loc="left", fontsize=10, color=INK, pad=4)


def _figure(
    layout: Layout, heights: Sequence[float], gap: float, top: float | None = None
) -> tuple[Any, list[Any]]:
    """Return a figure and its axes, in rows of these heights in inches, ``gap`` apart."""
    from matplotlib.figure import Figure

    if top is None:
        # The legend above the first row has two lines, or in a narrow plot many.
        top = 0.75 if layout is WIDE else 1.55
    bottom = 0.5
    whole = sum(heights) + gap * (len(heights) - 1) + top + bottom
    figure = Figure(figsize=(layout.width, whole))
    left, right = layout.ends
    edge = whole - top
    axes: list[Any] = []
    for height in heights:
        edge -= height
        axis = figure.add_axes((left, edge / whole, right - left, height / whole))
        edge -= gap
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=9, colors=INK)
        axis.xaxis.label.set_fontsize(9.5)
        axes.append(axis)
    return figure, axes


def _svg(figure: Any) -> str:
    """Return a figure as an element; the same figure gives the same text."""
    import matplotlib

    text = io.StringIO()
    # Text stays text: the page's font, and a reader can search it. The salt fixes the ids.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "report"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]
