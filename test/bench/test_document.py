"""Tables, page and plots say what a benchmark's file says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mtshare_ros import cli
from mtshare_ros.bench.cost_plots import draw, over_fractions
from mtshare_ros.bench.document import BEGIN, END, update_page
from mtshare_ros.bench.result import SCHEMA_VERSION, read_result, write_result
from mtshare_ros.bench.tables import added_by_tasks, by_tasks, close_look, fixed_share
from mtshare_ros.errors import OptionError
from mtshare_ros.network.config import NetworkConfig

DOCS = Path(__file__).parents[2] / "docs"


def row(kind: str, tasks: int, fraction: float, milliseconds: float) -> dict[str, Any]:
    """Return a row as it is measured; separate networks take 100 ms each."""
    names = {
        "separate": "separate dense networks",
        "shared": "shared encoder",
        "stream": f"dirty {fraction:g}",
        "hold": f"hold {round(1 / fraction)}",
    }
    return {
        "setting": 0,
        "name": names[kind],
        "kind": kind,
        "tasks": tasks,
        "fraction": fraction,
        "p50_ms": 0.01 if kind == "hold" else milliseconds,
        "p95_ms": milliseconds + 1,
        "p99_ms": milliseconds + 2,
        "mean_ms": milliseconds,
        "stages_p50": {"stem": 4.0, "normals": 2.0},
        "ratio": round(100 * tasks / milliseconds, 3),
        "work": 0.5 * fraction,
        "ideal_ms": 50.0 * tasks * fraction,
    }


@pytest.fixture
def result() -> dict[str, Any]:
    times = {1: 110.0, 2: 140.0, 3: 160.0}
    cases = [row("separate", n, 1.0, 100.0 * n) for n in times]
    cases += [row("shared", n, 1.0, 90.0 + 10 * n) for n in (2, 3)]
    cases += [row("stream", n, f, t * f) for n, t in times.items() for f in (1.0, 0.25, 0.05)]
    cases += [row("hold", 3, 0.25, 41.0)]
    network = NetworkConfig(width=384, hidden=1536).to_dict()
    tasks = ["normals", "depth", "segmentation"]
    rho = {"depth": 0.1667, "segmentation": 0.1667}
    setting = {"bundle": None, "network": network, "tasks": tasks, "rho": rho}
    return {
        "schema_version": SCHEMA_VERSION,
        "command": "mtshare bench --tasks 1 --tasks 2 --tasks 3 --output r.json",
        "machine": {"processor": "a processor"},
        "threads": 2,
        "rounds": 60,
        "settings": [{**setting, "engine": "onnxruntime", "precision": "fp32"}],
        "cases": cases,
    }


def test_the_tables_show_each_case_of_three_tasks_and_medians_by_tasks(result: Any) -> None:
    lines = close_look(result["cases"]).splitlines()
    assert lines[0].startswith("| 3 tasks | p50, ms | p95, ms | p99, ms |")
    assert lines[2:] == [
        "| separate dense networks | 300.0 | 301.0 | 302.0 | 1.00 |  |",
        "| shared encoder | 120.0 | 121.0 | 122.0 | 2.50 | 150.0 |",
        "| all tokens dirty | 160.0 | 161.0 | 162.0 | 1.88 | 150.0 |",
        "| a quarter | 40.0 | 41.0 | 42.0 | 7.50 | 37.5 |",
        "| 5 % | 8.0 | 9.0 | 10.0 | 37.50 | 7.5 |",
        "| all tokens in 1 frame of 4, held between: mean | 41.0 | 42.0 | 43.0 | 7.32 | 37.5 |",
    ]
    text = by_tasks(result["cases"])
    assert "| p50, ms | 1 task | 2 tasks | 3 tasks |" in text
    assert "| shared encoder |  | 110.0 | 120.0 |" in text and "held" not in text
    assert "2: 0.30, 3: 0.20; on average 0.25." in text


def test_what_a_further_task_adds_is_in_times_of_one_dense_network(result: Any) -> None:
    assert added_by_tasks(result["cases"]) == {2: 0.3, 3: 0.2}
    without = [r for r in result["cases"] if (r["kind"], r["tasks"]) != ("separate", 1)]
    assert added_by_tasks(without) == {}
    assert fixed_share(result["cases"], "normals") == pytest.approx(0.06)
    assert fixed_share([r for r in without if r["kind"] != "separate"], "normals") is None
    assert by_tasks([r for r in result["cases"] if r["tasks"] == 3]) == ""


def test_the_command_replaces_what_stands_between_the_markers(result: Any, tmp_path: Path) -> None:
    file, page = tmp_path / "data" / "r.json", tmp_path / "page.md"
    write_result(file, result)
    page.write_text(f"before\n{BEGIN}\nold figures\n{END}\nafter\n")
    arguments = ["bench-report", str(file), "--output", str(page)]
    assert cli.run(arguments) == 0
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n") and text.endswith(f"{END}\nafter\n")
    assert "old figures" not in text and "    mtshare bench --tasks 1 --tasks 2" in text
    assert "### Width 384, depth 12, 320x240" in text and "a processor" in text
    for kind in ("fractions", "tasks"):
        assert f"](data/r_{kind}.png)" in text
        assert (tmp_path / "data" / f"r_{kind}.png").is_file()
    assert cli.run(arguments) == 0 and page.read_text() == text
    page.unlink()
    assert cli.run(arguments) == 0 and page.read_text().startswith(f"# Benchmarks\n\n{BEGIN}")


def test_a_page_without_markers_is_left_alone(result: Any, tmp_path: Path) -> None:
    file, page = tmp_path / "r.json", tmp_path / "page.md"
    write_result(file, result)
    for text in ("no markers", f"{END}\n{BEGIN}\n", f"{BEGIN}\n{BEGIN}\n{END}\n"):
        page.write_text(text)
        with pytest.raises(OptionError, match=r"page\.md: expected the lines"):
            update_page(page, [file])
        assert page.read_text() == text


def test_the_published_page_is_what_its_files_say(tmp_path: Path) -> None:
    folder = shutil.copytree(DOCS / "benchmarks", tmp_path / "benchmarks")
    page = Path(shutil.copy(DOCS / "benchmarks.md", tmp_path))
    update_page(page, sorted(folder.glob("*.json")))
    assert page.read_text() == (DOCS / "benchmarks.md").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "expected a file of `mtshare bench`"),
        ('{"cases": []}', "schema_version 1"),
        ('{"schema_version": 1, "cases": []}', "lacks command, machine"),
    ],
)
def test_a_file_that_is_no_result_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(OptionError, match=message) as raised:
        read_result(path)
    assert "r.json" in str(raised.value)


def test_a_row_that_lacks_its_time_is_named(result: Any, tmp_path: Path) -> None:
    del result["cases"][-1]["mean_ms"]
    path = tmp_path / "r.json"
    path.write_text(json.dumps(result))
    with pytest.raises(OptionError, match=r"lacks cases\[14\]\.mean_ms"):
        read_result(path)


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


def test_the_tables_of_an_engine_without_rivals_leave_out_what_is_not_known(result: Any) -> None:
    streams = [r for r in result["cases"] if r["kind"] == "stream" and r["tasks"] == 3]
    for one in streams:
        one["stages_p50"] = {"total": 5.0}
        del one["work"], one["ideal_ms"]
    assert "| a quarter | 40.0 | 41.0 | 42.0 | 7.50 |  |" in close_look(streams)
    assert by_tasks(streams) == "" and fixed_share(streams, "normals") is None


def test_an_engine_is_measured_without_torch_and_what_draws() -> None:
    absent = ("torch", "onnx", "matplotlib", "pydantic")
    modules = ("commands.bench", "bench.engine_case", "bench.tables")
    code = f"import sys; sys.modules.update(dict.fromkeys({absent}))\n"
    code += "\n".join(f"import mtshare_ros.{name}" for name in modules)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
