"""`mtshare simulate` and `mtshare render`; `mtshare label` is held beside its job."""

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest

from mtshare_ros import cli
from mtshare_ros.commands import data
from mtshare_ros.commands.options import Textures
from mtshare_ros.datasets.labelling.label_bag import Labelled, Source
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


def test_a_clip_is_written_as_asked_for(monkeypatch, capsys):
    asked = []
    job = importlib.import_module("mtshare_ros.simulator.simulate")
    monkeypatch.setattr(job, "write_clip", lambda *a, **options: asked.append((a[:5], options)))
    words = "simulate --output x.mcap --kind pan --seed 3 --frames 7 --size 64x48 --cuts 2"
    assert cli.run([*words.split(), "--exposure-changes"]) == 0
    assert cli.run(["simulate", "--output", "y", "--compressed"]) == 0
    plain = {"textures": "auto", "compressed": False, "exposure_changes": False, "cuts": 0}
    assert asked == [
        (
            (Path("x.mcap"), "pan", 3, 7, (64, 48)),
            {**plain, "exposure_changes": True, "cuts": 2},
        ),
        ((Path("y"), "drive", 0, 150, (320, 240)), {**plain, "compressed": True}),
    ]
    assert capsys.readouterr().out == "x.mcap: 7 frames\ny: 150 frames\n"


@pytest.mark.parametrize(
    ("calibration", "focal_length", "intrinsics"),
    [("--intrinsics p", None, "p"), ("--focal-length 0.7", 0.7, "auto")],
)
def test_a_bag_is_labelled_as_asked_for(
    monkeypatch, capsys, calibration, focal_length, intrinsics
):
    asked = []

    def pretend(source, teachers, output, threads, on_frame):
        asked.append((source, teachers, output, threads))
        description = SimpleNamespace(tasks={"depth": None, "normals": None})
        return Labelled(description, 40, "fx 0.8 (P)", ("2 images are lost",))

    job = importlib.import_module("mtshare_ros.datasets.labelling.label_bag")
    reading = importlib.import_module("mtshare_ros.datasets.labelling.teacher_settings")
    monkeypatch.setattr(job, "label_bag", pretend)
    monkeypatch.setattr(reading, "parse_teachers", lambda texts: list(texts))
    words = "label --bag b --teacher depth=d.onnx --teacher normals=n.onnx --output out"
    more = "--frames 60 --topic /rear --threads 3 " + calibration
    assert cli.run([*words.split(), *more.split()]) == 0
    source = Source(Path("b"), "/rear", focal_length, 60, intrinsics)
    assert asked == [(source, ["depth=d.onnx", "normals=n.onnx"], Path("out"), 3)]
    captured = capsys.readouterr()
    assert captured.out == "out: depth, normals; 40 images, fx 0.8 (P)\n"
    assert captured.err == "warning: 2 images are lost\n"
