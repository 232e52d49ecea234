"""What commands print: a progress bar, tables, and the summary of a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on stderr; yields what a job calls with (done, in all)."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    # In a log or a pipe the bar would be noise.
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; cells are shown as they are, brackets included."""
    table = Table(*header, title=title or None, title_justify="left", title_style="bold")
    for row in rows:
        table.add_row(*row)
    Console(markup=False, highlight=False).print(table)


def print_report(numbers: dict[str, Any]) -> None:
    """Print the main numbers of a report, those of baselines beside them."""
    contenders = [numbers, *numbers["baselines"].values()]
    rows = [
        (task, key, *(_cell(one["tasks"].get(task, {}).get(key)) for one in contenders))
        for task, values in numbers["tasks"].items()
        for key in values
    ]
    if "total" in numbers["latency_ms"]:
        totals = [one["latency_ms"].get("total", {}) for one in contenders]
        for key in ("p50", "p95", "p99"):
            rows.append(("time", f"{key}, ms", *(_cell(t.get(key)) for t in totals)))
    rows += [
        (task, "disagreement with dense", _cell(value))
        for task, value in numbers["disagreement"].items()
    ]
    if numbers["dirty_fraction"]:
        mean = numbers["dirty_fraction"]["mean"]
        rows.append(("tokens", "recomputed, mean", f"{100 * mean:.1f} %"))
    for key, value in numbers.get("delivery", {}).items():
        rows.append(("frames", key, str(value)))
    frames = f"{numbers['frames']} frames, {numbers['engine']}"
    title = frames if numbers["complete"] else f"PARTIAL: {frames}"
    print_table(title, ("", "", "this run", *numbers["baselines"]), rows)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
