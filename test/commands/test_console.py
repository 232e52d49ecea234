"""Progress: a bar on a terminal, a line now and then elsewhere."""

import io

import pytest
from rich.console import Console

from mtshare_ros.commands import console
from mtshare_ros.commands.console import (
    print_report,
    print_table,
    print_warnings,
    progress,
)


@pytest.fixture
def terminal(monkeypatch):
    """What a terminal of 80 columns would show."""
    shown = io.StringIO()

    def drawn(stderr, **options):
        return Console(file=shown, force_terminal=True, width=80, **options)

    monkeypatch.setattr(console, "Console", drawn)
    return shown


def test_a_terminal_shows_job_steps_and_a_few_words(terminal):
    with progress("training") as show:
        show(3, 8, "depth: loss [0.25]")
    assert all(part in terminal.getvalue() for part in ("training", "3/8", "loss [0.25]"))


def test_a_bar_begins_again_with_the_next_stage(terminal):
    with progress("training") as show:
        show(8, 8, "depth")
        show(1, 8, "normals")
    assert "1/8" in terminal.getvalue() and "normals" in terminal.getvalue()


def test_many_words_are_cut_off_and_the_bar_is_not(terminal):
    with progress("training") as show:
        show(3, 8, "loss 0.25, " * 20)
    assert all(part in terminal.getvalue() for part in ("training", "3/8", "loss 0.25", "…"))


def test_a_job_may_leave_the_words_out(terminal):
    with progress("rendering") as show:
        show(3, 8)
    assert "3/8" in terminal.getvalue()


def test_of_several_processes_the_first_one_draws(terminal, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with progress("training") as show:
        show(3, 8, "depth")
    assert terminal.getvalue() == ""


def test_a_log_is_told_now_and_then(capsys, monkeypatch):
    now = iter([0.0, 59.0, 61.0, 61.0, 100.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(now))
    with progress("training") as show:
        for step in range(1, 4):
            show(step, 8, f"loss [{step}]")
    captured = capsys.readouterr()
    assert captured.err == "training: 2 of 8 loss [2]\n" and captured.out == ""


def test_a_short_job_tells_a_log_nothing(capsys):
    with progress("rendering") as show:
        show(8, 8)
    assert capsys.readouterr() == ("", "")


def test_cells_are_shown_as_they_are(capsys):
    print_table("a title", ("name", "value"), [("[bold]x[/bold]", "1")])
    out = capsys.readouterr().out
    assert "[bold]x[/bold]" in out and "a title" in out


def test_warnings_are_a_line_each_on_stderr_however_long(capsys):
    long = "word " * 60 + "[end]"
    print_warnings([long, "short"])
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err == f"warning: {long}\nwarning: short\n"


def numbers_of(**changes):
    """Return the numbers of a report with a baseline that lacks one metric."""
    run = {
        "frames": 5,
        "complete": True,
        "engine": "onnxruntime",
        "tasks": {"depth": {"abs_rel": 0.123456, "rmse": 1.0}},
        "latency_ms": {"total": {"p50": 4.0, "p95": 5.0, "p99": 6.5}},
        "disagreement": {"depth": 0.25},
        "dirty_fraction": {"mean": 0.4567, "max": 1.0},
        "truth_frames": {"depth": 4, "normals": 0},
        "truth_offset_ms": {"depth": 1.5},
        "delivery": {"dropped": 2},
        "baselines": {
            "dense": {"tasks": {"depth": {"abs_rel": 0.5}}, "latency_ms": {"total": {"p50": 9.0}}}
        },
    }
    return {**run, **changes}


def test_a_report_s_numbers_stand_beside_those_of_its_baselines(capsys):
    print_report(numbers_of(warnings=["no camera_info"]))
    captured = capsys.readouterr()
    rows = [
        [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]
        for line in captured.out.splitlines()
        if "│" in line or "┃" in line
    ]
    assert captured.out.startswith("5 frames, onnxruntime ")
    assert rows == [
        ["", "", "this run", "dense"],
        ["depth", "abs_rel", "0.1235", "0.5"],
        ["depth", "rmse", "1", ""],
        ["time", "p50, ms", "4", "9"],
        ["time", "p95, ms", "5", ""],
        ["time", "p99, ms", "6.5", ""],
        ["depth", "disagreement with dense", "0.25", ""],
        ["tokens", "recomputed, mean", "45.7 %", ""],
        ["depth", "frames with truth", "4, up to 1.500 ms off", ""],
        ["frames", "dropped", "2", ""],
    ]
    assert captured.err == "warning: no camera_info\n"


def test_a_part_of_a_run_is_said_to_be_one(capsys):
    print_report(numbers_of(complete=False, latency_ms={}, dirty_fraction={}))
    out = capsys.readouterr().out
    assert out.startswith("PARTIAL: 5 frames") and "p50" not in out and "tokens" not in out
