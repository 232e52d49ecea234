"""Every command that README and docs show is run, on less data and with smaller networks."""

from __future__ import annotations

import glob
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtshare_ros import cli
from support import teacher_files, trees
from support.documented import ROOT, documented

pytestmark = pytest.mark.slow

RENDER = "mtshare render"
LESS = {
    RENDER: {"--rooms": "2", "--views": "5", "--size": "96x64"},
    "mtshare soak": {"--minutes": "0.5"},
    "mtshare simulate": {"--frames": "6", "--size": "160x96"},
    "mtshare label": {"--frames": "8"},
    # The published protocol has a size of its own, which no small network has.
    "mtshare evaluate models/nyud": {"--protocol": "stretch"},
    "mtshare bench": {"--rounds": "20", "--width": "48", "--size": "64x64", "--tasks": "2"},
    "mtshare bench models/room": {"--rounds": "20"},
    "mtshare study timing": {"--rounds": "2"},
}
"""Start of a command -> options that are put into it; the longest start counts."""
STANDS_FOR = {
    "FILE.json": "output/file.json",
    "BUNDLE": "models/room",
    "BAG": "clip.mcap",
    "OUT": "output/out",
    "/camera/image_raw": "camera/image",  # the topic of the recording here
    "PREDICTIONS": "predictions",
    "TRUTHS": "truths",
}
ELSEWHERE = {
    "mtshare build models/room": "needs TensorRT; with its stand-in in test_model.py",
    "mtshare bench models/room --engine tensorrt": "needs TensorRT; see test_engine_case.py",
    "mtshare bench models/room --engine torch": "needs a GPU",
    "mtshare video /dev/video0": "needs a camera",
    "mtshare evaluate models/room --bag a.mcap --bag b.mcap --ray": "see test_many_bags.py",
}
"""Start of a command that can't be run here -> why."""
ORDER = (
    RENDER,
    "mtshare simulate",
    "mtshare label",
    "mtshare train",
    "torchrun",
    "mtshare export",
    "mtshare study",
    "mtshare bench-report",
)
"""What others stand on comes first; the last one reads what the benchmarks write."""
COMMANDS = [c for program in ("mtshare", "python", "torchrun") for c in documented(program)]


def turn(words: list[str]) -> int:
    """Return when a command is run: before or after others."""
    text = " ".join(words)
    places = [place for place, start in enumerate(ORDER) if text.startswith(start)]
    if text.startswith(ORDER[-1]):
        return len(ORDER) + 1
    return places[0] if places else len(ORDER)


def reduced(words: list[str]) -> list[str]:
    """Return a command that does the same with less."""
    text = " ".join(words)
    starts = [start for start in LESS if text == start or text.startswith(f"{start} ")]
    less = dict(LESS[max(starts, key=len)]) if starts else {}
    done: list[str] = []
    for word in words:
        option = done[-1] if done else ""
        done.append(less.pop(option, word) if option.startswith("--") else word)
    chosen = {word for word in words if word.startswith("--")}
    done += [
        part for option, value in less.items() if option not in chosen for part in (option, value)
    ]
    return [STANDS_FOR.get(word, word) for word in done]


def globbed(words: list[str]) -> Iterator[str]:
    """Yield the words with ``*`` in the place of which the shell puts files."""
    for word in words:
        yield from sorted(glob.glob(word)) if "*" in word else [word]


def make_room(command: list[str]) -> None:
    """Remove what another page's command has written to the same place."""
    for option, value in zip(command, command[1:], strict=False):
        path = Path(value)
        if option == "--output" and command[1] not in ("study", "bench-report"):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(True)


def small_config(path: Path) -> Any:
    """Return a training configuration of a tiny network and two steps."""

    def smaller(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {k: smaller(v, k) for k, v in value.items()}
        if key == "size":
            return [max(32, round(side / 80) * 16) for side in value]
        if isinstance(value, list):
            return [smaller(v) for v in value]
        return {"steps": 2, "batch": 6, "warmup": 1, "width": 48, "depth": 2}.get(
            key if isinstance(value, int) else "", value
        )

    return smaller(yaml.safe_load(path.read_text()))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what the commands take as given."""
    root = tmp_path_factory.mktemp("workspace")
    for name in ("room", "other"):
        shutil.copytree(ROOT / "models" / "room", root / "models" / name)
    shutil.copytree(ROOT / "demo", root / "demo")
    shutil.copytree(ROOT / "docs", root / "docs")
    shutil.rmtree(root / "docs" / "benchmarks")
    shutil.copytree(ROOT / "config", root / "config")
    for path in (root / "config" / "training").glob("*.yaml"):
        path.write_text(yaml.safe_dump(small_config(path), sort_keys=False))
    (root / "output").mkdir()
    trees.write_nyud(root / "data" / "NYUDv2", png=True)
    teacher_files.depth_teacher(root)
    teacher_files.class_teacher(root)
    teacher_files.write_bag(root / "lab.mcap")
    teacher_files.write_bag(root / "lab")
    for name in "abc":
        shutil.copy(root / "lab.mcap", root / f"{name}.mcap")
    for name in ("predictions", "truths"):
        trees.save(root / name / "1.png", 255 * trees.scene(0)["edge"])
    return root


def test_a_command_is_reduced_where_it_says_so() -> None:
    words = "mtshare simulate --kind pan --seed 1 --frames 150 --output clip.mcap".split()
    less = "mtshare simulate --kind pan --seed 1 --frames 6 --output clip.mcap --size 160x96"
    assert reduced(words) == less.split()
    assert reduced("mtshare bench models/room --output FILE.json".split())[-2:] == [
        "--rounds",
        "20",
    ]
    assert all(any(" ".join(c).startswith(start) for c in COMMANDS) for start in LESS)


def test_every_documented_command_runs(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workspace)
    ran = 0
    for words in sorted(COMMANDS, key=turn):
        if any(" ".join(words).startswith(start) for start in ELSEWHERE):
            continue
        command = list(globbed(reduced(words)))
        make_room(command)
        if command[0] == "mtshare":
            status = cli.run(command[1:])
        else:
            launcher = ["-m", "torch.distributed.run"] if command[0] == "torchrun" else []
            status = subprocess.run([sys.executable, *launcher, *command[1:]]).returncode
        said = capfd.readouterr()
        assert status == 0, f"{' '.join(command)}\n{said.out[-2000:]}\n{said.err[-4000:]}"
        ran += 1
    assert ran == len(COMMANDS) - sum(
        any(" ".join(c).startswith(start) for start in ELSEWHERE) for c in COMMANDS
    )
