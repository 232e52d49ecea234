"""The plots say what a benchmark's file says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from mtshare_ros.bench import cost_plots
from mtshare_ros.bench.cost_plots import draw, over_fractions, over_tasks


def test_plots_are_drawn_where_there_are_numbers_for_them(result: Any, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    assert [p.name for p in draw(result, path)] == ["r_fractions.png", "r_tasks.png"]
    three = {**result, "cases": [r for r in result["cases"] if r["tasks"] == 3]}
    assert [p.name for p in draw(three, path)] == ["r_fractions.png"]
    dense = {**result, "cases": [r for r in result["cases"] if r["fraction"] == 1.0]}
    assert [p.name for p in draw(dense, path)] == ["r_tasks.png"]


def test_the_ideal_line_is_the_separate_networks_time_by_work(result: Any) -> None:
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


def test_over_tasks_the_first_the_last_and_the_share_next_to_a_quarter_are_drawn(
    result: Any,
) -> None:
    shares = (1.0, 0.5, 0.3, 0.05)
    rows = [
        {"kind": "stream", "tasks": n, "fraction": f, "p50_ms": 100.0 * n * f, "name": ""}
        for n in (3, 1, 2)
        for f in shares
    ]
    panel = Figure().subplots()
    over_tasks(panel, rows)
    lines = {line.get_label(): line.get_xydata().tolist() for line in panel.get_lines()}
    assert list(lines) == [
        f"base and sub-tasks, {text}" for text in ("all tokens dirty", "30 %", "5 %")
    ]
    first = lines["base and sub-tasks, all tokens dirty"]
    assert first == [[1, 100.0], [2, 200.0], [3, 300.0]]


def test_two_shares_are_no_plot_and_panels_go_by_size_then_width() -> None:
    rows = [{"kind": "stream", "tasks": 3, "fraction": f} for f in (1.0, 0.5, 0.25)]
    assert cost_plots._has_fractions(rows) and not cost_plots._has_fractions(rows[:2])
    networks = [{"size": [640, 480], "width": 192}, {"size": [320, 240], "width": 384}]
    keys = [cost_plots._size_and_width({"network": network}) for network in networks]
    assert keys == [([640, 480], 192), ([320, 240], 384)]


def test_shares_are_ratios_where_they_are_and_ticks_are_round() -> None:
    names = [cost_plots._as_ratio(share) for share in (1.0, 0.3333, 0.0625, 0.3, 0.9)]
    assert names == ["1", "1/3", "1/16", "0.3", "0.9"]
    assert cost_plots._round_ticks(1.0, 50.0) == [1, 2, 5, 10, 20, 50]
    assert cost_plots._round_ticks(0.3, 3.0) == [0.5, 1, 2]
