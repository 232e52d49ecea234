"""Data sets as people have them, through `mtshare evaluate` with the shipped bundle."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from mtshare_ros import cli
from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.evaluation import run_options
from mtshare_ros.evaluation.report import report_files
from mtshare_ros.evaluation.report.page import page
from mtshare_ros.perception.engines import open_engine
from support.mutations import WHOLE, mutated
from support.samples import coarse_image

BUNDLE = Path(__file__).parents[2] / "models" / "room"
SIZE = (64, 48)
TRUTHS = {"depth": "depth", "segmentation": "labels", "normals": "normals"}


@pytest.fixture(scope="module", autouse=True)
def opened() -> Any:
    """The bundle, opened once for all runs, whose reports have an empty page."""
    engine = open_engine(BUNDLE, "onnxruntime", threads=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_options, "open_engine", lambda *_: engine)
        patch.setattr(report_files, "page", lambda *_: "")
        yield


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports have their page."""
    monkeypatch.setattr(report_files, "page", page)


def jpeg(rgb: Any, orientation: int | None = None) -> bytes:
    exif, file = Image.Exif(), io.BytesIO()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(rgb)).save(file, "JPEG", quality=95, exif=exif)
    return file.getvalue()


def write_set(root: Path, names: tuple[str, ...] = ("a", "b", "c")) -> Path:
    """Write images with truth of depth, labels and normals."""
    classes = [c.name for c in load_manifest(BUNDLE, verify=False).task("segmentation").classes]
    for place in ("images", *TRUTHS.values()):
        (root / place).mkdir(parents=True)
    for number, name in enumerate(names):
        rgb = coarse_image(number, SIZE)
        (root / "images" / f"{name}.jpg").write_bytes(jpeg(rgb))
        depth = 1000 + 10 * rgb[..., 0].astype(np.uint16)
        _png(root / "depth" / f"{name}.png", depth)
        _png(root / "labels" / f"{name}.png", (rgb[..., 1] // 32).astype(np.uint8))
        _png(root / "normals" / f"{name}.png", np.full((*rgb.shape[:2], 3), (128, 128, 0)))
    (root / "val.txt").write_text("\n".join(names) + "\n")
    tasks: dict[str, Any] = {
        "depth": {"kind": "depth", "folder": "depth", "metres": 0.001, "range": [0.2, 10.0]},
        "segmentation": {"kind": "segmentation", "folder": "labels", "classes": classes},
        "normals": {"kind": "normals", "folder": "normals"},
    }
    text = yaml.safe_dump({"images": "images", "focal_length": 0.8, "tasks": tasks})
    (root / "dataset.yaml").write_text(text)
    return root


def _png(path: Path, values: Any) -> None:
    stored = values.astype(np.uint8)[..., ::-1] if values.ndim == 3 else values
    path.write_bytes(cv2.imencode(".png", stored)[1].tobytes())


def evaluate(root: Path, output: Path) -> int:
    command = ["evaluate", str(BUNDLE), "--dataset", "folder", "--root", str(root)]
    return cli.run([*command, "--output", str(output), "--threads", "1"])


def figures(output: Path) -> dict[str, list[float]]:
    """Return what was measured of each image, without times."""
    entries = json.loads((output / "report.json").read_text())["per_frame"]["figures"]
    return {name: values for name, values in entries.items() if "ms." not in name}


@pytest.fixture
def error(capsys: pytest.CaptureFixture[str]) -> Any:
    """Return the one line that a command printed."""

    def read() -> str:
        text = capsys.readouterr().err
        assert text.startswith("error: ") and text.count("\n") == 1, text
        return text

    return read


@pytest.mark.parametrize("value", [3, 6, 8])
def test_a_turned_photograph_scores_as_the_upright_one(tmp_path: Path, value: int) -> None:
    from PIL import ImageOps

    root = write_set(tmp_path / "set")
    with Image.open(root / "images" / "a.jpg") as photograph:
        upright = np.array(photograph)
    # What a camera stores is turned the other way.
    turned = Image.fromarray(upright)
    turned.getexif()[0x0112] = {6: 8, 8: 6}.get(value, value)
    stored = ImageOps.exif_transpose(turned)
    for name, image, orientation in (("plain", turned, 1), ("turned", stored, value)):
        tag = Image.Exif()
        tag[0x0112] = orientation
        image.save(root / "images" / "a.jpg", "PNG", exif=tag)
        assert evaluate(root, tmp_path / name) == 0
    assert figures(tmp_path / "plain") == figures(tmp_path / "turned")


def test_a_turned_photograph_without_its_tag_is_refused(tmp_path: Path, error: Any) -> None:
    root = write_set(tmp_path / "set")
    (root / "images" / "a.jpg").write_bytes(jpeg(np.rot90(coarse_image(0, SIZE))))
    assert evaluate(root, tmp_path / "out") == 2
    said = error()
    assert str(root) in said and "/a.png: 64x48" in said and "48x64" in said


def test_a_jpeg_cut_in_half_is_refused_by_name(tmp_path: Path, error: Any) -> None:
    root = write_set(tmp_path / "set")
    path = root / "images" / "a.jpg"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert evaluate(root, tmp_path / "out") == 2
    assert f"{path}: can't be decoded" in error()


@pytest.mark.parametrize("name", ['it\'s my "d\u00fcne"', "two\nlines;<b>$x$", "caf\udce9"])
@pytest.mark.usefixtures("pages")
def test_odd_letters_in_paths_and_names(tmp_path: Path, name: str, error: Any) -> None:
    image = name.replace("\n", " ")
    root = write_set(tmp_path / name / "set", (image,)) if "\udce9" not in name else None
    if root is None:
        root = write_set(tmp_path / name / "set", ("a",))
        for path in root.glob("*/a.*"):
            path.rename(path.with_name(f"{name}{path.suffix}"))
        (root / "val.txt").write_bytes(os.fsencode(name) + b"\n")
    assert evaluate(root, tmp_path / name / "out") == 0
    next(root.glob("depth/*")).unlink()
    assert evaluate(root, tmp_path / name / "other") == 2
    assert "not found" in error()


def test_a_list_that_an_editor_wrote_and_a_folder_that_a_system_filled(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", ("room 1", "room 2"))
    assert evaluate(root, tmp_path / "plain") == 0
    (root / "val.txt").write_bytes(b"\xef\xbb\xbfroom 1\r\n  room 2 \r\n\r\n")
    (root / "images" / "room 1.jpg").rename(root / "images" / "room 1.JPG")
    (root / "labels" / "room 2.png").rename(root / "labels" / "room 2.Png")
    for place in ("images", "labels"):
        (root / place / ".DS_Store").write_bytes(b"\0")
        (root / place / "._room 1.png").write_bytes(b"\0")
    assert evaluate(root, tmp_path / "edited") == 0
    assert figures(tmp_path / "plain") == figures(tmp_path / "edited")


def test_a_full_disk_and_a_folder_in_the_way_are_named(
    tmp_path: Path, error: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_set(tmp_path / "set", ("a",))
    (tmp_path / "file").touch()
    assert evaluate(root, tmp_path / "file") == 2
    assert f"{tmp_path / 'file'}" in error()
    (tmp_path / "out" / "report.json").mkdir(parents=True)
    assert evaluate(root, tmp_path / "out") == 2
    assert "report.json" in error()

    def full(*_: Any, **__: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    assert evaluate(root, tmp_path / "full") == 2
    assert error() == f"error: {tmp_path / 'full' / 'report.json'}: No space left on device\n"


@pytest.mark.parametrize("home", [None, "relative"])
@pytest.mark.usefixtures("pages")
def test_a_user_without_a_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    import pwd

    def nobody(number: int) -> Any:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", home or "")
    if home is None:
        monkeypatch.delenv("HOME")
    monkeypatch.chdir(tmp_path)
    root = write_set(tmp_path / "set", ("a",))
    assert evaluate(root, tmp_path / "out") == 0


def damage(root: Path, seed: int) -> set[str]:
    """Damage one to three files of a set; return the images that may score otherwise."""
    rng = np.random.default_rng(seed)
    files = sorted(path for path in root.rglob("*") if path.is_file())
    changed = set()
    for path in rng.choice(np.array(files, object), int(rng.integers(1, 4)), replace=False):
        kind = rng.random()
        if kind < 0.6:
            (content,) = mutated(path.read_bytes(), int(rng.integers(1 << 30)), 1)
        elif kind < 0.7:
            content = list(WHOLE.values())[int(rng.integers(len(WHOLE)))]
        else:  # Another file under this one's name, of the same kind more often than not.
            others = files if kind > 0.95 else sorted(path.parent.glob("*.*"))
            content = Path(rng.choice(np.array(others, object))).read_bytes()
        path.write_bytes(content)
        changed.add(path.stem if path.parent != root else "")
    return changed


def check_damaged(folder: Path, seed: int, whole: dict[str, list[float]], error: Any) -> int:
    """Damage a set, evaluate it, and hold what comes out against the whole set's figures."""
    root = write_set(folder / "set")
    changed = damage(root, seed)
    status = evaluate(root, folder / "out")
    if status:
        assert status in (1, 2), seed
        said = error()
        assert str(root) in said or "out" in said, (seed, said)
        return status
    if "" in changed:
        return status  # The description or the list: other images, tasks or units.
    found = figures(folder / "out")
    for number, name in enumerate("abc"):
        if name not in changed:
            for figure, values in whole.items():
                assert found[figure][number] == values[number], (seed, figure, name)
    return status


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    """The figures of the set before it is damaged."""
    folder = tmp_path_factory.mktemp("whole")
    assert evaluate(write_set(folder / "set"), folder / "out") == 0
    return figures(folder / "out")


def test_damaged_sets_are_refused_or_their_other_images_score_as_before(
    tmp_path: Path, whole: Any, error: Any
) -> None:
    statuses = [check_damaged(tmp_path / str(seed), seed, whole, error) for seed in range(12)]
    assert 2 in statuses


@pytest.mark.slow
def test_five_hundred_damaged_sets(tmp_path: Path, whole: Any, error: Any) -> None:
    import shutil

    statuses: list[int] = []
    for seed in range(100, 600):
        statuses.append(check_damaged(tmp_path / "one", seed, whole, error))
        shutil.rmtree(tmp_path / "one")
    assert statuses.count(0) > 20 and statuses.count(2) > 300, statuses
