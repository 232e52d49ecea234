"""Every reader, given damaged files: what comes out is one line that names the file, or values."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import scipy.io
import yaml
from PIL import Image

from mtshare_ros.errors import JobError, UserError
from support.fake_stills import config
from support.mutations import WHOLE, mutated
from support.study_files import write_shared, write_subtasks
from support.teacher_files import class_teacher
from support.trees import scene, write_nyud, write_parts

ROOT = Path(__file__).parents[2]
COPIES = 60


@dataclass(frozen=True)
class Reader:
    """What reads a file.

    Attributes:
        file: Where the file lies in a folder.
        write: Writes the whole file, and what belongs to it, into a folder.
        read: Reads it: is given the folder and the file.
        copies: Number of damaged copies.
        named: Whether the message names the file itself.
        may_lack: Whether a file that is missing is no mistake.
    """

    file: str
    write: Callable[[Path], Any]
    read: Callable[[Path, Path], Any]
    copies: int = COPIES
    named: bool = True
    may_lack: bool = False


def _picture(form: str, channel: int | None = None) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        exif, file = Image.Exif(), io.BytesIO()
        exif[0x0112] = 6
        rgb = scene(0, (64, 48))["rgb"]
        pixels = rgb if channel is None else np.ascontiguousarray(rgb[..., channel])
        Image.fromarray(pixels).save(file, form, exif=exif)
        (folder / f"x.{form.lower()}").write_bytes(file.getvalue())

    return write


def _colour(folder: Path, path: Path) -> None:
    from mtshare_ros.datasets.image_sets.picture_files import channels, colour

    colour(path)
    channels(path)


def _ids(folder: Path, path: Path) -> None:
    from mtshare_ros.datasets.image_sets.picture_files import class_ids, grey

    class_ids(path)
    grey(path)


def _array(folder: Path, path: Path) -> None:
    from mtshare_ros.datasets.image_sets.truth_files import array, metres, shares

    values = array(path)
    metres(path, values)
    shares(path, values)


def _vectors(folder: Path, path: Path) -> None:
    from mtshare_ros.datasets.image_sets.truth_files import array, unit_vectors

    unit_vectors(path, array(path))


def _parts(folder: Path, path: Path) -> None:
    from mtshare_ros.datasets.image_sets.pascal_context import _readers

    _readers(folder, np.eye(3, dtype=np.float32))["human_parts"].convert(path)


def _write_parts(folder: Path) -> None:
    from support.trees import person

    body = np.zeros((20, 30), np.uint8)
    body[3:9, 4:8] = 1
    write_parts(folder / "x.mat", "x", [person(body, {"hair": body})])


def _write_label_map(folder: Path) -> None:
    scipy.io.savemat(folder / "x.mat", {"LabelMap": np.ones((20, 30), np.uint16)})


def _lines(folder: Path, path: Path) -> None:
    from mtshare_ros.metrics.boundary_files import read_lines

    read_lines(path, outline=False)


def _names(folder: Path, path: Path) -> None:
    from mtshare_ros.datasets.image_sets.image_set import read_names

    read_names(path)


def _folder_set(folder: Path, path: Path) -> None:
    from mtshare_ros.datasets.image_sets.folder_set import open_folder

    dict(open_folder(folder, "val").stored(0))


def _write_folder_set(folder: Path) -> None:
    view = scene(0, (64, 48))
    for place in ("images", "depth", "labels", "normals"):
        (folder / place).mkdir()
    Image.fromarray(view["rgb"]).save(folder / "images" / "a b.PNG")
    np.save(folder / "depth" / "a b.npy", view["depth"])
    np.save(folder / "normals" / "a b.npy", view["normals"])
    Image.fromarray(view["plane"].astype(np.uint8)).save(folder / "labels" / "a b.png")
    (folder / "val.txt").write_text("a b\n")
    tasks = {
        "depth": {"kind": "depth", "folder": "depth", "range": [0.2, 10.0]},
        "labels": {"kind": "segmentation", "folder": "labels", "classes": ["a", "b", "c"]},
        "normals": {"kind": "normals", "folder": "normals", "axes": "x -y -z"},
    }
    text = yaml.safe_dump({"images": "images", "focal_length": 0.8, "tasks": tasks})
    (folder / "dataset.yaml").write_text(text)


def _training(folder: Path, path: Path) -> None:
    from mtshare_ros.training.configuration import load_config

    load_config(path, seed=1)


def _study(folder: Path, path: Path) -> None:
    from mtshare_ros.study.study_config import load_study

    load_study(path)


def _teacher(folder: Path, path: Path) -> None:
    from mtshare_ros.datasets.labelling.teachers import Teacher

    Teacher("things", folder / "classes.onnx")(np.zeros((24, 32, 3), np.uint8))


def _manifest(folder: Path, path: Path) -> None:
    from mtshare_ros.bundle import describe
    from mtshare_ros.bundle.folder import load_manifest

    manifest = load_manifest(folder, verify=False)
    with mock.patch.object(describe, "load_manifest", lambda bundle: manifest):
        describe.describe(folder)


def _selftest(folder: Path, path: Path) -> None:
    from mtshare_ros.bundle.folder import load_manifest
    from mtshare_ros.perception.engines.selftest import load_selftest

    load_selftest(folder, load_manifest(ROOT / "models" / "room", verify=False))


def _result(folder: Path, path: Path) -> None:
    from mtshare_ros.bench.benchmark_page import section
    from mtshare_ros.bench.result_reader import read_result

    section(read_result(path), path, folder)


def _page(folder: Path, path: Path) -> None:
    from mtshare_ros.bench.benchmark_page import update_page

    update_page(path, [])


def _stills(folder: Path, path: Path) -> None:
    from mtshare_ros.datasets.stills import StillsDataset

    stills = StillsDataset(folder)
    stills[len(stills) - 1] if len(stills) else None
    assert stills.clip_length and stills.seeds is not None


def _write_stills(folder: Path) -> None:
    meta = {
        "version": 1,
        "size": [32, 24],
        "fx": 25.0,
        "classes": ["a"],
        "seeds": [0, 4, 1],
        "textures": "A",
    }
    (folder / "meta.json").write_text(json.dumps(meta))
    shard = folder / "shard-000000"
    shard.mkdir()
    for kind, dtype, shape in (
        ("rgb", np.uint8, (4, 24, 32, 3)),
        ("depth", np.float16, (4, 24, 32)),
        ("labels", np.uint8, (4, 24, 32)),
        ("normals", np.int8, (4, 24, 32, 3)),
        ("seeds", np.int64, (4,)),
    ):
        np.save(shard / f"{kind}.npy", np.ones(shape, dtype))


def _stage(folder: Path, path: Path) -> None:
    from mtshare_ros.training.stored import load_shared, record_of

    record_of(folder, "base")
    load_shared(folder, "base")


def _units(folder: Path, path: Path) -> None:
    from mtshare_ros.training.stored_subtasks import load_subtasks

    load_subtasks(folder, "units")


def _write_units(folder: Path) -> None:
    from mtshare_ros.bundle.manifest import LayerShare

    write_subtasks(folder, "units", "base", LayerShare(1, 32), seed=0)


def _copied(*names: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for name in names:
            shutil.copy(ROOT / name, folder)

    return write


def _written(name: str, content: bytes) -> Callable[[Path], Any]:
    return lambda folder: (folder / name).write_bytes(content)


SHARD = "shard-000000"
READERS = {
    "image.png": Reader("x.png", _picture("PNG"), _colour),
    "image.jpg": Reader("x.jpeg", _picture("JPEG"), _colour),
    "ids.png": Reader("x.png", _picture("PNG", 0), _ids),
    "array": Reader("x.npy", lambda d: np.save(d / "x.npy", np.ones((9, 8), "f4")), _array),
    "vectors": Reader("x.npy", lambda d: np.save(d / "x.npy", np.eye(3)[None]), _vectors),
    "parts": Reader("x.mat", _write_parts, _parts),
    "label map": Reader("x.mat", _write_label_map, _lines),
    "names": Reader("x.txt", _written("x.txt", b"a\nb c\n"), _names),
    "dataset.yaml": Reader("dataset.yaml", _write_folder_set, _folder_set, 25, named=False),
    "list of a set": Reader("val.txt", _write_folder_set, _folder_set, 20, named=False),
    "training": Reader(
        "x.yaml", lambda d: (d / "x.yaml").write_text(yaml.safe_dump(config())), _training, 25
    ),
    "study": Reader("study.yaml", _copied("config/results/study.yaml"), _study, 8),
    "teacher's settings": Reader("classes.yaml", class_teacher, _teacher, 25, named=False),
    "teacher": Reader("classes.onnx", class_teacher, _teacher),
    "manifest": Reader("manifest.json", _copied("models/room/manifest.json"), _manifest),
    "selftest": Reader("selftest.npz", _copied("models/room/selftest.npz"), _selftest, 40),
    "result": Reader("room.json", _copied("docs/benchmarks/room.json"), _result),
    "page": Reader("benchmarks.md", _copied("docs/benchmarks.md"), _page, may_lack=True),
    "meta.json": Reader("meta.json", _write_stills, _stills, named=False),
    "shard": Reader(f"{SHARD}/depth.npy", _write_stills, _stills),
    "seeds": Reader(f"{SHARD}/seeds.npy", _write_stills, _stills, 30, named=False),
    "stage": Reader("base.safetensors", lambda d: write_shared(d, "base", 0), _stage),
    "units": Reader("units.safetensors", _write_units, _units, 30),
}


@pytest.mark.parametrize("name", list(READERS))
def test_a_damaged_file_is_refused_in_one_line_or_read(tmp_path: Path, name: str) -> None:
    reader = READERS[name]
    reader.write(tmp_path)
    path = tmp_path / reader.file
    whole = path.read_bytes()
    reader.read(tmp_path, path)
    refused = 0
    contents = [*WHOLE.values(), *mutated(whole, seed=len(whole), count=reader.copies)]
    for content in contents:
        path.write_bytes(content)
        try:
            reader.read(tmp_path, path)
        except (UserError, JobError, OSError) as error:
            refused += 1
            _check_message(error, reader, path)
    assert refused > 5
    path.unlink()
    if not reader.may_lack:
        with pytest.raises((UserError, OSError)):
            reader.read(tmp_path, path)
    path.unlink(missing_ok=True)
    path.mkdir()
    with pytest.raises((UserError, OSError)):
        reader.read(tmp_path, path)


def _check_message(error: Exception, reader: Reader, path: Path) -> None:
    from mtshare_ros.errors import one_line

    line = one_line(error)
    assert "\n" not in line and len(line) < 6000, line
    if reader.named:
        assert path.name in line, line


def test_the_wrong_reader_refuses_a_whole_file(tmp_path: Path) -> None:
    """Every file under every other's name: a wrong ending, a mistaken option."""
    contents = {}
    for name, reader in READERS.items():
        folder = tmp_path / "whole" / name.replace("/", " ")
        folder.mkdir(parents=True)
        reader.write(folder)
        contents[name] = (folder / reader.file).read_bytes()
    for name, reader in READERS.items():
        folder = tmp_path / "read" / name.replace("/", " ")
        folder.mkdir(parents=True)
        reader.write(folder)
        for other in contents.values():
            path = folder / reader.file
            path.write_bytes(other)
            try:
                reader.read(folder, path)
            except (UserError, JobError, OSError) as error:
                _check_message(error, reader, path)


def test_a_damaged_file_of_a_published_set_is_named(tmp_path: Path) -> None:
    from mtshare_ros.datasets.image_sets.nyud import open_nyud

    root = write_nyud(tmp_path, png=True)
    opened = open_nyud(root, "train", "x y z")
    for path in sorted(root.glob("*/0001.*")):
        whole = path.read_bytes()
        for content in mutated(whole, seed=1, count=12):
            path.write_bytes(content)
            try:
                dict(opened.to_score(0))
            except UserError as error:
                assert str(path) in str(error)
        path.write_bytes(whole)
    dict(opened.to_score(0))
