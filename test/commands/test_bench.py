"""`mtshare bench`: what does not go together is refused before anything is measured."""

from __future__ import annotations

import shlex

import pytest

from mtshare_ros import cli
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
