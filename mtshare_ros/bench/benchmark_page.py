"""Writes the part of a page, between two markers, that is made from results."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtshare_ros.bench.bench_tables import by_tasks, close_look, fixed_share, title_of
from mtshare_ros.bench.result_reader import read_result, rows_of
from mtshare_ros.errors import OptionError, written

BEGIN = "<!-- mtshare bench-report: begin; what is between the markers is made from JSON -->"
END = "<!-- mtshare bench-report: end -->"
PLOTS = {"fractions": "Time over the share of dirty tokens", "tasks": "Time over the tasks"}
"""Kind of a plot -> what it shows."""


def plot_path(result: Path, kind: str) -> Path:
    """Return where a plot of a result's file is: beside it."""
    return result.with_name(f"{result.stem}_{kind}.png")


def update_page(page: Path, files: Sequence[Path]) -> None:
    """Write the tables of some results between the markers of a page; the rest stays.

    A page that is not there is made.

    Raises:
        OptionError: The page lacks a marker, or a file is no result.
    """
    text = f"# Benchmarks\n\n{BEGIN}\n{END}\n"
    if page.is_file():
        try:
            text = page.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise OptionError(f"{page}: not UTF-8 ({error}); expected a Markdown page") from error
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise OptionError(f"{page}: expected the lines {BEGIN!r} and {END!r} once each")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    sections = [section(read_result(path), path, page.parent) for path in files]
    body = "\n\n".join(sections)
    page.parent.mkdir(parents=True, exist_ok=True)
    text = f"{before}{BEGIN}\n\n{body}\n\n{END}{after}"
    with written(page):
        page.write_text(text, encoding="utf-8", errors="backslashreplace")


def section(result: dict[str, Any], path: Path, folder: Path) -> str:
    """Return the Markdown of one result: its command, its plots and the tables of each network.

    Args:
        result: Content of the file.
        path: The file; plots that lie beside it are shown.
        folder: Where the page is.
    """
    numbers = range(len(result["settings"]))
    parts = [_network(result, number) for number in numbers]
    head = [f"    {result['command']}", _machine(result)]
    for kind, shown in PLOTS.items():
        picture = plot_path(path, kind)
        if picture.exists():
            link = Path(os.path.relpath(picture, folder)).as_posix()
            head.append(f"![{shown}]({link})")
    if len(parts) == 1:  # the command belongs to the only heading
        heading, *rest = parts[0]
        return "\n\n".join([heading, *head, *rest])
    return "\n\n".join([*head, *(paragraph for part in parts for paragraph in part)])


def _network(result: dict[str, Any], number: int) -> list[str]:
    setting, rows = result["settings"][number], rows_of(result, number)
    paragraphs = [f"### {title_of(setting)}", close_look(rows), by_tasks(rows)]
    fixed = fixed_share(rows, setting["tasks"][0])
    if fixed is not None:
        paragraphs.append(
            f"Stem and one head take {100 * fixed:.1f} % of the time of one dense network."
        )
    return [paragraph for paragraph in paragraphs if paragraph]


def _machine(result: dict[str, Any]) -> str:
    rho = sorted({value for setting in result["settings"] for value in setting["rho"].values()})
    shares = f"{rho[0]:.3f}" + (f" to {rho[-1]:.3f}" if rho[-1] != rho[0] else "") if rho else "0"
    machine = "; ".join(f"{key} {value}" for key, value in result["machine"].items())
    return (
        f"{machine}; {result['threads']} threads, {result['rounds']} rounds. Private share of a"
        f" sub-task: {shares}."
    )
