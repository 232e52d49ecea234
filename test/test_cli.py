"""The command line: exit statuses, and one line for a user's mistake."""

import importlib
import io
import os
import re
import sys
from pathlib import Path

import pytest

from mtshare_ros import cli


def run(capsys, *arguments):
    """Return the exit status, stdout and stderr of a command."""
    status = cli.run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "command"),
        (["evaluat"], "evaluat"),
        (["evaluate"], "--output"),
        (["evaluate", "--output", "o", "--bag", "x"], "BUNDLE"),
        (["evaluate", "models/none", "--output", "out"], "--bag"),
        (["evaluate", "b", "--output", "o", "--bag", "x", "--dataset", "rooms"], "--root"),
        (["evaluate", "b", "--output", "o", "--dataset", "city"], "city"),
        (["evaluate", "b", "--output", "o", "--dataset", "nyud", "--root", "no"], "NYUD-v2"),
        (["evaluate", "b", "--output", "o", "--bag", "x", "--bag", "y", "--record", "z"], "one"),
        (["label", "--bag", "x", "--teacher", "depth", "--output", "o"], "TASK=FILE"),
        (["label", "--bag", "x", "--teacher", "depth=y.onnx", "--output", "o"], "y.onnx"),
        (["boundary-score", "no_folder", "truths"], "no_folder: not found"),
        (["simulate", "--output", "x.mcap", "--kind", "teleport"], "teleport"),
        (["simulate", "--output", "x.mcap", "--size", "320by240"], "320by240"),
        (["simulate", "--output", "x.mcap", "--frames", "0"], "--frames"),
        (["simulate", "--output", "x.mcap", "--textures", "C"], "'C'"),
        (["render", "--output", "x", "--textures", "C"], "'C'"),
        (["soak", "--output", "x.json", "--size", "big"], "big"),
        (["soak", "--output", "x.json", "--minutes", "0"], "--minutes"),
        (["soak", "--output", "x.json", "--parameter", "max_age"], "NAME=VALUE"),
        (["soak", "--output", "x.json", "--bag", "missing.mcap"], "models/room"),
        (["study", "elements"], "run"),
        (["bench", "--output", "x.json", "--size", "0x240"], "0x240"),
        (["bench", "--output", "x.json", "--size", "321x240"], "321"),
        (["bench", "--output", "x.json", "--width", "385"], "385"),
        (["bench", "--output", "x.json", "--tasks", "6"], "--tasks 6: expected 1 to 5"),
        (["bench", "--output", "x.json", "--fraction", "2"], "--fraction 2"),
        (["bench", "--output", "x.json", "--rounds", "5"], "--rounds 5"),
        (["bench", "missing_bundle", "--output", "x.json"], "missing_bundle"),
        (["bench", "b", "--output", "x.json", "--width", "192"], "--width: not with a bundle"),
        (["bench", "b", "--output", "x.json", "--engine", "torch", "--all"], "--all: not with"),
        (["bench", "--output", "x.json", "--precision", "fp32"], "expected with --engine"),
        (
            [
                "label",
                "--bag",
                "x",
                "--teacher",
                "depth=y.onnx",
                "--output",
                "o",
                "--intrinsics",
                "k",
            ]
            + ["--focal-length", "1"],
            "--intrinsics: not with --focal-length",
        ),
        (
            ["replay", "b", "--bag", "x", "--output", "o", "--intrinsics", "k"]
            + ["--parameter", "intrinsics=p"],
            "--intrinsics: not with --parameter",
        ),
        (["soak", "--output", "x.json", "--parameter", "a=1", "--parameter", "a=2"], "twice"),
        (["soak", "--output", "x", "--parameter", "autostart=false"], "a soak sets it itself"),
        (["bench-report", "missing.json", "--output", "x.md"], "missing.json"),
        (["train", "missing.yaml", "--output", "run"], "missing.yaml"),
        (["inspect", "missing_bundle"], "missing_bundle"),
        (["evaluate", "missing_bundle", "--output", "o", "--bag", "missing.mcap"], "missing"),
        (["replay", "missing_bundle", "--bag", "missing.mcap", "--output", "o"], "missing"),
        (["demo", "--output", "o", "--bag", "missing.mcap"], "models/room"),
        (["doctor", "--for", "fun"], "fun"),
    ],
)
def test_a_users_mistake_is_one_line_and_status_2(capsys, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, *arguments)
    assert status == 2
    assert out == ""
    assert err.startswith("error: ") and err.count("\n") == 1
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_help_says_what_each_command_is_for_in_one_line_below_a_heading(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = run(capsys, "--help")
    assert status == 0
    headings = [out.index(heading) for heading in cli.COMMANDS]
    assert headings == sorted(headings)
    lines = [line.strip("│ ") for line in out.splitlines()]
    for heading, commands in cli.COMMANDS.items():
        for command in commands:
            name = command.__name__.replace("_", "-")
            (shown,) = (line for line in lines if line.split()[:1] == [name])
            assert shown.endswith("."), heading
    assert "study" in out[headings[-1] :]


def test_no_command_imports_another():
    folder = Path(cli.__file__).parent / "commands"
    names = {module.stem for module in folder.glob("*.py")} - {"__init__", "console", "options"}
    for name in names:
        text = (folder / f"{name}.py").read_text()
        others = re.findall(r"mtshare_ros\.commands(?:\.| import )(\w+)", text)
        # The job behind `mtshare demo` is a file beside its command.
        assert set(others) <= {"console", "options"} | ({"demo"} if name == "robot" else set())


def test_only_the_room_of_commands_draws_progress():
    for path in Path(cli.__file__).parent.rglob("*.py"):
        drawing = re.findall(
            r"^\s*(?:import|from) (?:rich|tqdm)\b", path.read_text(), re.MULTILINE
        )
        assert not drawing or path.parent.name == "commands", path


def test_a_bug_keeps_its_traceback(monkeypatch):
    def broken(bundle):
        raise ValueError("operands could not be broadcast")

    describe = importlib.import_module("mtshare_ros.bundle.describe")
    monkeypatch.setattr(describe, "describe", broken)
    with pytest.raises(ValueError, match="broadcast"):
        cli.run(["inspect", "anything"])


def test_a_failed_job_is_status_1(capsys, monkeypatch):
    from mtshare_ros.perception.engines.interface import EngineError

    def failing(bundle):
        raise EngineError("self-test of depth:\nnot reproduced")

    describe = importlib.import_module("mtshare_ros.bundle.describe")
    monkeypatch.setattr(describe, "describe", failing)
    status, _, err = run(capsys, "inspect", "anything")
    assert status == 1
    assert err == "error: self-test of depth: not reproduced\n"


def test_a_missing_dependency_says_what_to_install(capsys, monkeypatch):
    def missing(bundle):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    describe = importlib.import_module("mtshare_ros.bundle.describe")
    monkeypatch.setattr(describe, "describe", missing)
    status, _, err = run(capsys, "inspect", "anything")
    assert status == 2
    assert err == "error: torch is not installed: pip install 'mtshare_ros[offline]'\n"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, cli.typer.Abort])
def test_an_interruption_has_the_status_of_ctrl_c(capsys, monkeypatch, interruption):
    def interrupted(*_, **__):
        raise interruption

    describe = importlib.import_module("mtshare_ros.bundle.describe")
    monkeypatch.setattr(describe, "describe", interrupted)
    assert run(capsys, "inspect", "anything")[:2] == (130, "")
    monkeypatch.setattr(cli, "app", interrupted)
    assert run(capsys, "inspect", "anything") == (130, "", "error: interrupted\n")


def test_a_user_without_a_home_has_the_root_folder_and_others_keep_theirs(monkeypatch, tmp_path):
    for home, expected in (("nowhere", "/"), (str(tmp_path), str(tmp_path))):
        monkeypatch.setenv("HOME", home)
        cli.run(["inspect", "missing"])
        assert os.environ["HOME"] == expected


def test_a_name_that_is_no_text_is_printed_with_escapes(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(written, "utf-8", write_through=True))
    assert cli.run(["inspect", os.fsdecode(b"caf\xe9")]) == 2
    assert b"error: caf\\udce9" in written.getvalue()


def test_the_program_exits_with_the_status_of_its_command(monkeypatch):
    monkeypatch.setattr(cli, "run", lambda: 3)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 3
