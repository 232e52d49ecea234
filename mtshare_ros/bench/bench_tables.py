"""A benchmark's rows as tables, for the terminal and for the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtshare_ros.bench.result_reader import main_count, rows_of, time_of

_SHARES = {1.0: "all tokens dirty", 0.5: "half", 0.25: "a quarter", 0.125: "an eighth"}
Rows = Sequence[dict[str, Any]]


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first column is aligned to the left and whose others to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines
    )


def title_of(setting: dict[str, Any]) -> str:
    """Return what a setting is called."""
    network = setting["network"]
    width, height = network["size"]
    size = f"width {network['width']}, depth {network['depth']}, {width}x{height}"
    engine = setting["engine"]
    on = "" if engine == "onnxruntime" else f", {engine} in {setting['precision']}"
    bundle = setting["bundle"]
    return f"The bundle `{bundle}`: {size}{on}" if bundle else f"{size.capitalize()}{on}"


def label_of(row: dict[str, Any]) -> str:
    """Return what a case is called."""
    if row["kind"] == "stream":
        fraction = row["fraction"]
        return _SHARES.get(fraction, f"{100 * fraction:.3g} %")
    if row["kind"] == "hold":
        return f"all tokens in 1 frame of {round(1 / row['fraction'])}, held between: mean"
    return str(row["name"])


def terminal(result: dict[str, Any], setting: int) -> list[list[str]]:
    """Return cells: case, tasks, p50 (or mean), p95, p99, times faster, ideal."""
    rows = rows_of(result, setting)
    return [[label_of(row), str(row["tasks"]), *_figures(row)] for row in rows]


def close_look(rows: Rows) -> str:
    """Return a table of all cases of ``main_count`` tasks."""
    count = main_count({row["tasks"] for row in rows})
    header = ("p50, ms", "p95, ms", "p99, ms", "times faster", "ideal, ms")
    cells = [[label_of(row), *_figures(row)] for row in rows if row["tasks"] == count]
    return markdown_table((_tasks(count), *header), cells)


def by_tasks(rows: Rows) -> str:
    """Return a table of medians with a column for each number of tasks; empty if there is one."""
    counts = sorted({row["tasks"] for row in rows})
    if len(counts) < 2:
        return ""
    cells: dict[str, dict[int, dict[str, Any]]] = {}
    for row in rows:
        if row["kind"] != "hold":
            cells.setdefault(label_of(row), {})[row["tasks"]] = row
    text = markdown_table(
        ("p50, ms", *map(_tasks, counts)),
        [
            (label, *(f"{by_count[n]['p50_ms']:.1f}" if n in by_count else "" for n in counts))
            for label, by_count in cells.items()
        ],
    )
    added = added_by_tasks(rows)
    if added:
        each = ", ".join(f"{n}: {value:.2f}" for n, value in added.items())
        mean = sum(added.values()) / len(added)
        text += (
            "\n\nWhat a further task adds when every token is dirty, in times of one dense"
            f" network: {each}; on average {mean:.2f}."
        )
    return text


def added_by_tasks(rows: Rows) -> dict[int, float]:
    """Return for each number of tasks what its last one added, in times of one dense network.

    The difference of the medians with every token dirty / the median of one dense network; empty
    where that, or the number of tasks one below, was not measured.
    """
    dense = [r["p50_ms"] for r in rows if r["kind"] == "separate" and r["tasks"] == 1]
    full = {r["tasks"]: r["p50_ms"] for r in rows if r["kind"] == "stream" and r["fraction"] == 1}
    if not dense:
        return {}
    return {n: (full[n] - full[n - 1]) / dense[0] for n in sorted(full) if n - 1 in full}


def fixed_share(rows: Rows, base: str) -> float | None:
    """Return the share of one dense network's time that stem and the base's head take.

    None where no dense network was measured, or the engine doesn't tell these stages.
    """
    count = main_count({row["tasks"] for row in rows})
    shown = [row for row in rows if row["tasks"] == count]
    dense = [row for row in shown if row["kind"] == "separate"]
    full = [row for row in shown if row["kind"] == "stream" and row["fraction"] == 1]
    stages = full[0]["stages_p50"] if full else {}
    if not dense or not {"stem", base} <= set(stages):
        return None
    return float((stages["stem"] + stages[base]) / (dense[0]["p50_ms"] / count))


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"


def _figures(row: dict[str, Any]) -> list[str]:
    """Return the time of a frame, its p95 and its p99, how many times faster it is, and ideal."""
    times = [f"{time:.1f}" for time in (time_of(row), row["p95_ms"], row["p99_ms"])]
    has_ideal = "ideal_ms" in row and row["kind"] != "separate"
    return [*times, f"{row['ratio']:.2f}", f"{row['ideal_ms']:.1f}" if has_ideal else ""]
