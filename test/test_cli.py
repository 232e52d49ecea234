"""The command line: exit statuses, and one line for a user's mistake."""

import importlib

import pytest

from mtshare_ros import cli, errors
from mtshare_ros.datasets.seeds import TEXTURES


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
        (["evaluate"], "bundle"),
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
        (["bench", "--output", "x.json", "--size", "0x240"], "0x240"),
        (["bench", "--output", "x.json", "--size", "321x240"], "321"),
        (["bench", "--output", "x.json", "--width", "385"], "385"),
        (["bench", "--output", "x.json", "--tasks", "6"], "--tasks 6: expected 1 to 5"),
        (["bench", "--output", "x.json", "--fraction", "2"], "--fraction 2"),
        (["bench", "--output", "x.json", "--rounds", "5"], "--rounds 5"),
        (["bench", "missing_bundle", "--output", "x.json"], "missing_bundle"),
        (["bench", "b", "--output", "x.json", "--width", "192"], "--width: not with a bundle"),
        (["bench", "b", "--output", "x.json", "--engine", "torch", "--all"], "--all: not with"),
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


def test_help_lists_every_command(capsys):
    status, out, _ = run(capsys, "--help")
    assert status == 0
    commands = "simulate label train export evaluate boundary-score replay bench inspect doctor"
    commands += " bench-report demo"
    assert all(command in out for command in commands.split())


@pytest.mark.parametrize("name", ["auto", *TEXTURES])
def test_textures_are_handed_to_the_renderer(monkeypatch, name):
    called = {}
    clips = importlib.import_module("mtshare_ros.simulator.simulate")
    monkeypatch.setattr(clips, "write_clip", lambda *_, **options: called.update(options))
    assert cli.run(["simulate", "--output", "x.mcap", "--textures", name]) == 0
    assert called["textures"] == name


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


def test_node_parameters_are_typed_as_ros_types_them():
    texts = ["output_size=input", "max_age=8", "max_depth=5.5", "autostart=false"]
    assert cli.parse_parameters(texts) == {
        "output_size": "input",
        "max_age": 8,
        "max_depth": 5.5,
        "autostart": False,
    }
    with pytest.raises(errors.OptionError, match="expected NAME=VALUE"):
        cli.parse_parameters(["max_age"])
