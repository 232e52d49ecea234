"""`mtshare simulate` and `mtshare render`; `mtshare label` is held beside its job."""

import importlib
from typing import get_args

import pytest

from mtshare_ros import cli
from mtshare_ros.commands import data
from mtshare_ros.commands.options import Textures
from mtshare_ros.datasets.seeds import TEXTURES
from mtshare_ros.datasets.stills import StillsDataset


@pytest.mark.parametrize("name", ["auto", *TEXTURES])
def test_textures_are_handed_to_the_renderer(monkeypatch, name):
    called = {}
    clips = importlib.import_module("mtshare_ros.simulator.simulate")
    monkeypatch.setattr(clips, "write_clip", lambda *_, **options: called.update(options))
    assert cli.run(["simulate", "--output", "x.mcap", "--textures", name]) == 0
    assert called["textures"] == name


def test_every_pool_of_textures_can_be_chosen():
    assert get_args(Textures) == ("auto", *TEXTURES)


def test_rooms_are_rendered_as_asked_for(capsys, tmp_path):
    options = (
        "--first-seed 200000 --rooms 2 --views 3 --size 48x36 --workers 1 --textures B --clips"
    )
    assert cli.run(["render", "--output", str(tmp_path / "set"), *options.split()]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'set'}: 6 images\n"
    stills = StillsDataset(tmp_path / "set")
    assert (len(stills), stills.seeds, stills.clip_length) == (6, {200_000, 200_001}, 3)
    assert (stills.meta["size"], stills.meta["textures"]) == ([48, 36], "B")


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--size", "320by240", "320by240"),
        ("--size", "9" * 5000 + "x240", "WIDTHxHEIGHT"),
        ("--size", "20000x10", "expected 16 to 4096 pixels"),
        ("--views", "0", "views 0"),
        ("--workers", "0", "workers 0"),
        ("--first-seed", "-1", "-1"),
        ("--rooms", "0", "rooms"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_and_writes_nothing(
    capsys, tmp_path, option, value, said
):
    assert cli.run(["render", "--output", str(tmp_path / "out"), option, value]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and said in err
    assert list(tmp_path.iterdir()) == []


def test_each_command_of_the_room_is_there():
    assert {data.simulate, data.render, data.label} == set(cli.COMMANDS["Make data"])
