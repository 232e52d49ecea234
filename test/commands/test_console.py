"""Progress: a bar on a terminal, a line now and then elsewhere."""

import io

import pytest
from rich.console import Console

from mtshare_ros.commands import console
from mtshare_ros.commands.console import print_table, print_warnings, progress


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
