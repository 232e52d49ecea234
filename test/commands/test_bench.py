"""`mtshare bench`: what does not go together is refused before anything is measured."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from mtshare_ros import cli
from mtshare_ros.bench import benchmark, cost_plots, engine_benchmark
from mtshare_ros.bundle import folder
from mtshare_ros.commands import bench


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--engine", "torch"], "--engine needs a bundle"),
        (["b", "--engine", "torch", "--tasks", "2"], "--tasks: not with --engine"),
        (["b", "--size", "64x64"], "--size: not with a bundle"),
    ],
)
def test_options_that_exclude_each_other_are_named(capsys, options, says):
    assert cli.run(["bench", *options, "--output", "x.json"]) == 2
    assert says in capsys.readouterr().err


def test_the_record_has_the_command_that_makes_it_again():
    options = {"--width": [192, 384], "--all": True, "--rounds": None, "--output": "a b.json"}
    words = shlex.split(bench._command(None, options))
    assert words[:2] == ["mtshare", "bench"]
    assert words.count("--width") == 2 and "--all" in words and "--rounds" not in words
    assert words[words.index("--output") + 1] == "a b.json"


@pytest.fixture
def asked(monkeypatch):
    """What would be measured."""
    calls = []
    found = {"machine": {"board": "b"}, "settings": [], "cases": []}

    def run(matrix, output, on_round):
        calls.append(matrix)
        return found

    def run_engine(*values, **options):
        calls.append((values[:3], options))
        return found

    monkeypatch.setattr(benchmark, "run_bench", run)
    monkeypatch.setattr(engine_benchmark, "bench_engine", run_engine)
    monkeypatch.setattr(cost_plots, "draw", lambda result, path: [])
    monkeypatch.setattr(folder, "load_manifest", lambda path: SimpleNamespace(tasks=[1, 2, 3, 4]))
    return calls


def test_what_is_not_asked_for_has_its_default(asked, tmp_path):
    output = ["--output", str(tmp_path / "x.json")]
    assert cli.run(["bench", *output]) == 0
    (matrix,) = asked
    assert (matrix.widths, matrix.sizes, matrix.tasks) == ([384], [(320, 240)], ())
    assert (matrix.rounds, matrix.threads, matrix.bundle) == (60, 2, None)
    assert list(matrix.fractions) == [1.0, 0.5, 0.25, 0.125, 0.05]
    assert matrix.command == f"mtshare bench --output {tmp_path / 'x.json'}"


def test_every_option_reaches_the_measurement_once(asked, tmp_path):
    given = "--width 48 --width 96 --width 48 --size 64x48 --size 64x48 --fraction 0.5"
    given += " --fraction 1 --fraction 0.5 --rounds 7 --threads 3 --tasks 2"
    output = str(tmp_path / "x.json")
    assert cli.run(["bench", *given.split(), "--output", output]) == 0
    (matrix,) = asked
    assert (matrix.widths, matrix.sizes, matrix.tasks) == ([48, 96], [(64, 48)], [2])
    assert (matrix.fractions, matrix.rounds, matrix.threads) == ([1.0, 0.5], 7, 3)
    assert "--threads 3" in matrix.command and "--rounds 7" in matrix.command


def test_all_is_every_width_size_and_number_of_tasks(asked, tmp_path):
    output = ["--all", "--output", str(tmp_path / "x.json")]
    assert cli.run(["bench", *output]) == 0 and cli.run(["bench", "b", *output]) == 0
    random, bundle = asked
    assert random.widths == [192, 384, 768] and random.sizes == [(320, 240), (640, 480)]
    assert random.tasks == [1, 2, 3, 4, 5] and bundle.tasks == [1, 2, 3, 4]


def test_an_engine_is_timed_alone_and_named_in_the_record(asked, tmp_path):
    output = tmp_path / "x.json"
    given = ["bench", "b", "--engine", "torch", "--precision", "fp32", "--output", str(output)]
    assert cli.run(given) == 0
    ((values, options),) = asked
    assert values == (Path("b"), "torch", "fp32")
    assert (options["rounds"], options["threads"]) == (200, 2)
    words = shlex.split(options["command"])
    assert words[words.index("--precision") + 1] == "fp32" and words[2] == "b"


def test_what_would_be_lost_is_refused_before_anything_is_measured(asked, tmp_path, capsys):
    assert cli.run(["bench", "--precision", "fp32", "--output", str(tmp_path / "x.json")]) == 2
    assert "--precision: expected with --engine" in capsys.readouterr().err
    for given in ([], ["b", "--engine", "torch"]):
        assert cli.run(["bench", *given, "--output", str(tmp_path)]) == 2
        assert str(tmp_path) in capsys.readouterr().err
    assert asked == []
