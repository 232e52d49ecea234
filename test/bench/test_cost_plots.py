"""The plots say what a benchmark's file says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtshare_ros.bench.cost_plots import draw, over_fractions


def test_plots_are_drawn_where_there_are_numbers_for_them(result: Any, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    assert [p.name for p in draw(result, path)] == ["r_fractions.png", "r_tasks.png"]
    three = {**result, "cases": [r for r in result["cases"] if r["tasks"] == 3]}
    assert [p.name for p in draw(three, path)] == ["r_fractions.png"]
    dense = {**result, "cases": [r for r in result["cases"] if r["fraction"] == 1.0]}
    assert [p.name for p in draw(dense, path)] == ["r_tasks.png"]


def test_the_ideal_line_is_the_separate_networks_time_by_work(result: Any) -> None:
    from matplotlib.figure import Figure

    panel = Figure().subplots()
    over_fractions(panel, result["cases"])
    lines = {line.get_label(): line for line in panel.get_lines()}
    ideal = lines["ideal: separate × work"]
    assert ideal.get_ydata() == pytest.approx([150 * x for x in ideal.get_xdata()])
    assert list(lines["base and sub-tasks"].get_ydata()) == [8.0, 40.0, 160.0]
    (held,) = [line for label, line in lines.items() if "held" in label]
    assert list(held.get_xydata()[0]) == [0.25, 41.0]
    assert set(lines["separate dense networks"].get_ydata()) == {300.0}
    assert [tick.get_text() for tick in panel.get_xticklabels()] == ["1/20", "1/4", "1"]
