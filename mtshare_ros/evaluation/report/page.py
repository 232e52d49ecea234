"""The page of a report: one file with all pictures and plots in it, for a browser offline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.evaluation.latency import TOTAL
from mtshare_ros.evaluation.pictures.depth_colours import DepthColours, colours_of
from mtshare_ros.evaluation.pictures.kept_frames import Kept
from mtshare_ros.evaluation.pictures.map_pictures import WORST, with_legend
from mtshare_ros.evaluation.report import report_plots
from mtshare_ros.evaluation.scores import Run, Scores
from mtshare_ros.metrics.names import METRICS, metric_text
from mtshare_ros.tasks import KINDS, Task

THIS_RUN = "this run"
IDEAL = ("ideal", "ideal_1")
"""Names of the references of streaming accuracy in ``report.json``."""


def page(run: Run, scores: Scores, numbers: dict[str, Any], manifest: Manifest) -> str:
    """Return the page; ``numbers`` is the content of ``report.json``."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mtshare_ros.evaluation.report", "page_files"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["metric"] = metric_text
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}  # Stages have an order.
    latency = numbers["latency_ms"]
    shown = scores.kept.result()
    colours = colours_of(levels for kept in shown for levels in kept.pictures.levels())
    return environment.get_template("report.html").render(
        run=run,
        numbers=numbers,
        manifest=manifest,
        tasks=scores.tasks,
        metrics=METRICS,
        units={task.name: KINDS[task.kind].disagreement for task in scores.tasks},
        private={name: share.rho for name, share in manifest.private.items()},
        frames=[_shown(kept, scores.tasks, colours) for kept in shown],
        per_frame=scores.series.frames_per_entry,
        depth_ticks=colours.ticks() if with_legend(scores.tasks, "metres") else [],
        worst=WORST,
        probabilities=with_legend(scores.tasks, "probability"),
        has_normals=bool(with_legend(scores.tasks, "directions")),
        legend=_legend(scores),
        table=_table(numbers),
        streaming=_streaming(numbers) if "streaming" in numbers else {},
        timelines={
            name: (report_plots.timeline(scores, layout), layout.ends)
            for name, layout in (("wide", report_plots.WIDE), ("narrow", report_plots.NARROW))
        },
        bars={
            name: report_plots.stage_bars(latency, layout)
            for name, layout in (("wide", report_plots.HALF), ("narrow", report_plots.NARROW_BARS))
        }
        if latency
        else {},
    )


def _shown(kept: Kept, tasks: Sequence[Task], colours: DepthColours) -> dict[str, Any]:
    """Return one position of the scrubber."""
    figures = kept.moment.figures
    accuracy = {}
    for task in tasks:
        key = f"{task.name}.{task.metrics[0]}"
        if key in figures:
            text = metric_text(figures[key], task.metrics[0])
            accuracy[task.name] = f"{METRICS[task.metrics[0]].name} {text}"
    stages = {n.removeprefix("ms."): v for n, v in figures.items() if n.startswith("ms.")}
    total = stages.pop(TOTAL, None)
    return {
        "index": kept.moment.index,
        "label": kept.moment.label,
        "reasons": kept.reasons,
        "dirty": figures.get("dirty_fraction"),
        "accuracy": accuracy,
        "total": total,
        "stages": {name.replace("_", " "): round(value, 2) for name, value in stages.items()},
        "pictures": kept.pictures.sources(colours),
    }


@dataclass(frozen=True)
class _Row:
    """A row of the table: for each contender the text of its value, and whether it is the best."""

    task: str
    metric: str
    cells: list[tuple[str | None, bool]]


@dataclass(frozen=True)
class _Table:
    """The accuracy and the times of all contenders."""

    header: list[str]
    rows: list[_Row]


def _table(numbers: Mapping[str, Any]) -> _Table:
    contenders = {THIS_RUN: numbers, **numbers["baselines"]}
    rows: list[_Row] = []
    for task, metrics in numbers["tasks"].items():
        for key in metrics:
            metric = METRICS[key]
            values = [c["tasks"].get(task, {}).get(key) for c in contenders.values()]
            texts = [None if v is None else metric_text(v, key) for v in values]
            best = _best(values, metric.higher_is_better)
            rows.append(_row(task, f"{metric.name} {metric.arrow}", texts, best))
    times = [c["latency_ms"].get(TOTAL, {}) for c in contenders.values()]
    for key in ("mean", "p95"):
        values = [time.get(key) for time in times]
        if any(value is not None for value in values):
            texts = [None if v is None else f"{v:.1f}" for v in values]
            rows.append(_row("time per frame", f"{key}, ms ↓", texts, _best(values, False)))
    return _Table(list(contenders), rows)


HEADLINE = "all pixels"
STREAMING = {
    "served": "pixels that this run knows",
    "stamped": "each output, by the truth of its own frame",
}
"""Part of ``streaming`` in ``report.json`` -> what it counts."""


def _streaming(numbers: Mapping[str, Any]) -> dict[str, _Table]:
    """Return what was counted -> the accuracy of all contenders at each moment."""
    streaming = numbers["streaming"]
    ideal = {name.replace("_", " "): streaming[name] for name in IDEAL if name in streaming}
    contenders = {THIS_RUN: streaming, **streaming["baselines"], **ideal}
    parts = {
        HEADLINE: {
            name: {task: one[task] for task in numbers["tasks"]}
            for name, one in contenders.items()
        }
    }
    for part, title in STREAMING.items():
        parts[title] = {name: one[part] for name, one in contenders.items()}
    tables = {}
    for title, scored in parts.items():
        shown = {name: {"tasks": tasks, "latency_ms": {}} for name, tasks in scored.items()}
        run = shown.pop(THIS_RUN)
        tables[title] = _table({**run, "baselines": shown})
    ages = [one["age_ms"] for one in contenders.values()]
    for key in ("mean", "p95"):
        values = [age.get(key) for age in ages]
        texts = [None if value is None else f"{value:.0f}" for value in values]
        tables[HEADLINE].rows.append(_row("age", f"{key}, ms ↓", texts, None))
    return tables


def _row(task: str, name: str, texts: list[str | None], best: int | None) -> _Row:
    # Equal texts are equally good, whatever the further digits.
    marked = None if best is None or len(texts) < 2 else texts[best]
    return _Row(task, name, [(text, text == marked) for text in texts])


def _best(values: Iterable[float | None], higher: bool) -> int | None:
    """Return the number of the best value, the first of equals; None if there is no value."""
    ranked = [(v if higher else -v, -i) for i, v in enumerate(values) if v is not None]
    return -max(ranked)[1] if ranked else None


@dataclass(frozen=True)
class _LegendEntry:
    """A class: its name, its colour in CSS, and its IoU, or None if it never occurred."""

    name: str
    colour: str
    iou: float | None


def _legend(scores: Scores) -> list[_LegendEntry]:
    entries: list[_LegendEntry] = []
    for task in scores.tasks:
        ious = scores.accuracy.metrics[task.name].per_class()
        for item, iou in zip(task.classes, ious, strict=True):
            colour = "rgb({}, {}, {})".format(*item.colour)
            entries.append(_LegendEntry(item.name, colour, None if np.isnan(iou) else float(iou)))
    return entries
