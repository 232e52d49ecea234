"""The plots of a study show the numbers that they are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.study import study_plots
from mtshare_ros.study.learning_curves import Curve


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every figure that is saved."""
    figures: list[Any] = []
    monkeypatch.setattr(study_plots, "save_figure", lambda figure, path: figures.append(figure))
    return figures


def row(name: str, value: float | None, **changes: Any) -> dict[str, Any]:
    """Return a system of ``results.json``."""
    delta = None if value is None else {"value": value, "low": value - 1, "high": value + 1}
    system = {"name": name, "title": name.title(), "group": "", "rho": None, "plotted": True}
    return {**system, "delta_m": delta, **changes}


def test_families_are_joined_from_fast_to_slow_and_others_stand_alone(drawn: list[Any]) -> None:
    rows = [
        row("separate", 0.0),
        row("large", 3.0, group="units", rho=0.5),
        row("small", 1.0, group="units", rho=0.1),
        row("unplotted", 9.0, plotted=False),
        row("unfinished", None),
    ]
    times = {"separate": 90.0, "large": 60.0, "small": 30.0, "unplotted": 10.0}
    cases = [
        {"system": name, "fraction": fraction, "p50_ms": fraction * ms}
        for name, ms in times.items()
        for fraction in (1.0, 0.25)
    ]
    results = {"systems": rows, "reference": "separate"}
    timing = {"fractions": [1.0, 0.25], "cases": cases}
    study_plots.accuracy_over_time(results, timing, Path("p.png"))
    (figure,) = drawn
    for panel, fraction in zip(figure.axes, (1.0, 0.25), strict=True):
        lines = {bars.get_label(): bars[0].get_xydata().tolist() for bars in panel.containers}
        assert lines == {
            "units": [[30.0 * fraction, 1.0], [60.0 * fraction, 3.0]],
            "Separate": [[90.0 * fraction, 0.0]],
        }
    assert figure.axes[1].get_title() == "25 % of the tokens"
    assert "against separate" in figure.axes[0].get_ylabel()


def test_each_task_has_a_panel_and_each_stage_one_look(drawn: list[Any]) -> None:
    steps, loss = np.arange(3), np.array([3.0, 2.0, 1.0])
    curves = [
        Curve(stage, task, steps, loss * factor)
        for stage, factor in (("base", 1), ("together", 2))
        for task in ("depth", "normals")
    ]
    study_plots.learning_curves(curves, Path("p.png"))
    panels = drawn[0].axes
    assert [panel.get_title() for panel in panels] == ["depth", "normals"]
    looks = [{line.get_label(): line.get_color() for line in p.get_lines()} for p in panels]
    assert looks[0] == looks[1] and len(set(looks[0].values())) == 2
    assert list(panels[1].get_lines()[1].get_ydata()) == [6.0, 4.0, 2.0]


def test_private_shares_are_per_cent_of_a_whole_block(drawn: list[Any]) -> None:
    shares = {"depth": [LayerShare(1, 24), LayerShare(0, 0)]}
    study_plots.private_shares(shares, LayerShare(4, 96), Path("p.png"))
    heads, neurons = drawn[0].axes
    assert [bar.get_height() for bar in heads.patches] == [25.0, 0.0]
    assert [bar.get_height() for bar in neurons.patches] == [25.0, 0.0]
    assert [text.get_text() for text in neurons.texts] == ["24", "0"]


def test_shares_of_each_block_are_drawn(tmp_path: Path) -> None:
    shares = {"depth": [LayerShare(n, 16 * n) for n in range(3)]}
    study_plots.private_shares(shares, LayerShare(3, 64), tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_intervals_bend_to_the_side_where_they_are_longer_and_time_is_in_factors(
    drawn: list[Any],
) -> None:
    uneven = {"value": 2.0, "low": 1.5, "high": 4.0}
    rows = [row("a", 0.0, group="g", rho=0.25, delta_m=uneven), row("separate", 0.0)]
    cases = [{"system": name, "fraction": 1.0, "p50_ms": 10.0} for name in ("a", "separate")]
    results = {"systems": rows, "reference": "separate"}
    study_plots.accuracy_over_time(results, {"fractions": [1.0], "cases": cases}, Path("p.png"))
    (panel,) = drawn[0].axes
    bars = next(bars for bars in panel.containers if bars.get_label() == "g")
    (segment,) = bars[2][0].get_segments()
    assert segment.tolist() == [[10.0, 1.5], [10.0, 4.0]]
    assert [text.get_text() for text in panel.texts] == ["0.25"]
    assert panel.get_xscale() == "log" and panel.get_title() == "every token recomputed"


def test_more_stages_than_colours_differ_by_their_dashes(drawn: list[Any]) -> None:
    steps = np.arange(2)
    curves = [Curve(f"stage{n}", "depth", steps, steps + 1.0) for n in range(9)]
    study_plots.learning_curves(curves, Path("p.png"))
    (panel,) = drawn[0].axes
    looks = [(line.get_color(), line.get_linestyle()) for line in panel.get_lines()]
    assert len(set(looks)) == 9 and looks[0][0] == looks[7][0]


def test_bars_of_two_tasks_stand_beside_each_other(drawn: list[Any]) -> None:
    for blocks, labelled in ((12, 24), (13, 0)):
        shares = dict.fromkeys(("depth", "normals"), [LayerShare(1, 24)] * blocks)
        study_plots.private_shares(shares, LayerShare(4, 96), Path("p.png"))
        heads, _ = drawn[-1].axes
        first, second = heads.containers
        assert [first[1].get_x(), second[1].get_x()] == pytest.approx([0.6, 1.0])
        assert first[1].get_width() == pytest.approx(0.4) and len(heads.texts) == labelled
