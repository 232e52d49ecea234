"""``results.json`` (and ``timing.json``) -> tables in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mtshare_ros.bench.bench_tables import markdown_table
from mtshare_ros.metrics.names import METRICS

_NONE = "–"


def markdown(results: dict[str, Any], timing: dict[str, Any] | None = None) -> str:
    """Return the tables of a study.

    Args:
        results: Content of ``results.json``.
        timing: Content of ``timing.json``, if times were measured.
    """
    # A row with a hole says little; the notes name what is not trained.
    complete = [row for row in results["systems"] if row["delta_m"] is not None]
    results = {**results, "systems": complete}
    parts = [f"# {results['name']}", _about(results), _accuracy(results)]
    parts += ["## Change of each task", _changes(results)]
    further = _further(results)
    parts += ["## Further metrics", further] if further else []
    parts += ["## Cost and comparisons", _cost(results, timing)]
    parts += [_notes(results), _about_times(timing) if timing else ""]
    return "\n\n".join(part for part in parts if part) + "\n"


def _about(results: dict[str, Any]) -> str:
    level, draws = results["bootstrap"]["level_percent"], results["bootstrap"]["resamples"]
    reference = next(r for r in results["systems"] if r["name"] == results["reference"])
    lines = [
        results["description"],
        f"{results['stills']} images of {results['rooms']} test rooms ({results['data']});"
        f" values are means over the training seeds of {', '.join(results['runs'])}."
        f" Δm: mean over tasks of the signed relative change against *{reference['title']}*"
        f" ({_steps(reference)} steps), positive is better. The base task, too, is held against"
        " it, however few steps its network had."
        f" [Brackets]: {level:g} % intervals of a paired bootstrap over rooms ({draws} resamples);"
        " they don't cover the choice of the training seed.",
    ]
    return "\n\n".join(line for line in lines if line)


def _accuracy(results: dict[str, Any]) -> str:
    systems, tasks = results["systems"], results["metrics"].items()
    header = ["", "ρ", *(_heading(task, key) for task, key in tasks), "Δm, %", "seeds"]
    columns = [
        [_or_none(row["rho"], "{:.3g}".format) for row in systems],
        *(_metric_column(results, task, key) for task, key in tasks),
        _bold_best([row["delta_m"] for row in systems], _interval, higher=True),
        [_seeds(row) for row in systems],
    ]
    return _by_system(results, header, columns)


def _changes(results: dict[str, Any]) -> str:
    tasks = list(results["metrics"])
    changes = [[row["tasks"][task]["change"] for row in results["systems"]] for task in tasks]
    columns = [_bold_best(of_task, _interval, higher=True) for of_task in changes]
    return _by_system(results, ["%, against the reference", *tasks], columns)


def _further(results: dict[str, Any]) -> str:
    keys = [(task, key) for task, columns in results["columns"].items() for key in columns]
    if not keys:
        return ""
    columns = [_metric_column(results, task, key) for task, key in keys]
    header = ["", *(_heading(task, key) for task, key in keys)]
    return _by_system(results, header, columns)


def _by_system(
    results: dict[str, Any], header: Sequence[str], columns: Sequence[Sequence[str]]
) -> str:
    """Return a table with a row for each system: its title, then its cell of each column."""
    titles = [row["title"] for row in results["systems"]]
    return markdown_table(header, list(zip(titles, *columns, strict=True)))


def _cost(results: dict[str, Any], timing: dict[str, Any] | None) -> str:
    header = ["", "steps", "a further task, % of a network's parameters"]
    header += [f"Δm against {_title(results, name)}, %" for name in results["also"]]
    if results["rival"] is not None:
        header.append(f"Δm less that of {_title(results, results['rival'])}")
    header.append("Δm of each seed")
    fractions = timing["fractions"] if timing else []
    header += [f"ms, {_share(fraction)}" for fraction in fractions]
    rows = []
    for row in results["systems"]:
        cells = [row["title"], _steps(row), _further_task(row)]
        cells += [_or_none(row["delta_m_against"][name], _interval) for name in results["also"]]
        if results["rival"] is not None:
            cells.append(_or_none(row["against_rival"], _interval))
        cells.append(_or_none(row["delta_m"], _each_seed))
        cells += [_milliseconds(timing, row["name"], fraction) for fraction in fractions]
        rows.append(cells)
    return markdown_table(header, rows)


def _notes(results: dict[str, Any]) -> str:
    notes = [f"- {row['title']}: {row['note']}" for row in results["systems"] if row["note"]]
    notes += [
        f"- Not trained in {run}: {', '.join(stages)}"
        for run, stages in results["missing"].items()
    ]
    return "\n".join(notes)


def _about_times(timing: dict[str, Any]) -> str:
    width, height = timing["network"]["size"]
    machine = timing["machine"]
    return (
        f"Times: whole frames, image to decoded arrays, input {width}x{height}, medians of"
        f" {timing['rounds']} interleaved rounds, {timing['threads']} threads, ONNX Runtime"
        f" {machine['onnxruntime']}, {machine['processor']}. Separate networks and the shared"
        " encoder are dense: they cost the same however few tokens changed."
    )


def _metric_column(results: dict[str, Any], task: str, key: str) -> list[str]:
    metric = METRICS[key]
    digits = {"%": 1, "m": 3, "°": 2}.get(metric.unit, 3)
    scored = [row["tasks"].get(task, {}).get("metrics", {}) for row in results["systems"]]
    return _bold_best(
        [metrics.get(key) for metrics in scored],
        lambda cell: f"{cell['value'] * metric.factor:.{digits}f}",
        higher=metric.higher_is_better,
    )


def _bold_best(
    cells: Sequence[dict[str, Any] | None], text: Callable[[dict[str, Any]], str], *, higher: bool
) -> list[str]:
    """Return the texts of cells that have a ``value``, the best one bold."""
    numbers = [cell["value"] for cell in cells if cell is not None]
    best = (max if higher else min)(numbers, default=None)
    return [
        f"**{text(cell)}**" if cell is not None and cell["value"] == best else _or_none(cell, text)
        for cell in cells
    ]


def _interval(estimate: dict[str, Any]) -> str:
    return (
        f"{_signed(estimate['value'])} [{_signed(estimate['low'])}, {_signed(estimate['high'])}]"
    )


def _signed(value: float) -> str:
    text = f"{value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def _each_seed(estimate: dict[str, Any]) -> str:
    return ", ".join(_signed(value) for value in estimate["per_seed"].values())


def _seeds(row: dict[str, Any]) -> str:
    counts = {
        len(next(iter(task["metrics"].values()))["per_seed"]) for task in row["tasks"].values()
    }
    return str(counts.pop()) if len(counts) == 1 else f"{min(counts)} to {max(counts)}"


def _steps(row: dict[str, Any]) -> str:
    """Return the steps of the tasks: those of what a stage builds on, a plus between stages."""
    texts = {
        task: " + ".join(f"{n:,}" for n in trained["steps"])
        for task, trained in row["tasks"].items()
    }
    return ", ".join(dict.fromkeys(texts.values()))


def _further_task(row: dict[str, Any]) -> str:
    """Return the mean share of all tasks but the one that brings most, the base."""
    shares = sorted(task["parameters_percent"] for task in row["tasks"].values())
    return f"{sum(shares[:-1]) / (len(shares) - 1):.1f}" if len(shares) > 1 else _NONE


def _milliseconds(timing: dict[str, Any] | None, system: str, fraction: float) -> str:
    for case in timing["cases"] if timing else []:
        if case["system"] == system and case["fraction"] == fraction:
            return f"{case['p50_ms']:.1f}"
    return _NONE


def _share(fraction: float) -> str:
    return "all tokens" if fraction == 1.0 else f"{100 * fraction:g} % of the tokens"


def _heading(task: str, key: str) -> str:
    metric = METRICS[key]
    unit = f", {metric.unit}" if metric.unit else ""
    return f"{task}: {metric.name}{unit} {metric.arrow}"


def _title(results: dict[str, Any], name: str) -> str:
    return next((row["title"] for row in results["systems"] if row["name"] == name), name)


def _or_none(value: Any, text: Callable[[Any], str]) -> str:
    return _NONE if value is None else text(value)
