"""Bundles that are whole are opened; any other is refused by the file's name."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros.bundle import folder
from mtshare_ros.bundle.folder import MANIFEST_NAME, load_manifest, save_manifest
from mtshare_ros.bundle.manifest import BundleError
from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.perception.engines.selftest import run_selftest


@pytest.fixture
def copy(bundle_path: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle_path, tmp_path / "copy"))


def _edit(bundle: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = bundle / MANIFEST_NAME
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def test_a_manifest_survives_writing_and_reading(bundle_path: Path, tmp_path: Path) -> None:
    manifest = load_manifest(bundle_path)
    save_manifest(tmp_path, manifest)
    assert load_manifest(tmp_path, verify=False) == manifest
    assert [task.name for task in manifest.tasks] == ["normals", "depth", "segmentation"]
    assert 0 < manifest.private["depth"].rho < 0.4


@pytest.mark.parametrize("name", ["stem.onnx", "base.onnx", "depth.onnx", "selftest.npz"])
def test_a_changed_file_is_refused_by_name(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(bytes(content))
    with pytest.raises(BundleError, match=name):
        load_manifest(copy)


@pytest.mark.parametrize("name", ["base.onnx", "selftest.npz"])
def test_a_truncated_or_missing_file_is_refused_by_name(copy: Path, name: str) -> None:
    os.truncate(copy / name, 100)
    with pytest.raises(BundleError, match=f"{name}.*100 bytes"):
        load_manifest(copy)
    (copy / name).unlink()
    with pytest.raises(BundleError, match=f"{name}.*missing"):
        load_manifest(copy)


def test_a_manifest_without_prefix_has_no_prefix_tokens(copy: Path) -> None:
    _edit(copy, lambda v: v["input"].pop("prefix"))
    manifest = load_manifest(copy)
    assert manifest.input.prefix == 0 and manifest.input.rows == manifest.input.tokens


@pytest.mark.parametrize("text", ["[]", "3", "null", '"text"', "", "\xff"])
def test_a_manifest_that_is_no_object_is_refused(copy: Path, text: str) -> None:
    (copy / MANIFEST_NAME).write_bytes(text.encode("latin-1"))
    with pytest.raises(BundleError, match=MANIFEST_NAME):
        load_manifest(copy)


def test_a_manifest_larger_than_any_is_not_read(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (copy / MANIFEST_NAME).stat().st_size
    monkeypatch.setattr(folder, "MAX_MANIFEST_BYTES", size)
    load_manifest(copy)
    monkeypatch.setattr(folder, "MAX_MANIFEST_BYTES", size - 1)
    with pytest.raises(BundleError, match=f"larger than {size - 1} bytes"):
        load_manifest(copy)


def test_a_file_that_is_longer_than_recorded_is_refused(copy: Path) -> None:
    with (copy / "depth.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(BundleError, match=r"depth\.onnx: \d+ bytes, expected"):
        load_manifest(copy)
    assert load_manifest(copy, verify=False).name == "small"


def test_another_schema_version_is_refused(copy: Path) -> None:
    _edit(copy, lambda v: v.update(schema_version=99))
    with pytest.raises(BundleError, match="schema_version 99, expected 1"):
        load_manifest(copy)


def test_a_folder_without_manifest_and_broken_json_are_refused(copy: Path) -> None:
    (copy / MANIFEST_NAME).write_text('{"schema_version": 1,')
    with pytest.raises(BundleError, match="not JSON"):
        load_manifest(copy)
    (copy / MANIFEST_NAME).unlink()
    with pytest.raises(BundleError, match="not a bundle"):
        load_manifest(copy)


def _outside(values: dict[str, Any]) -> None:
    values["graphs"]["stem"]["file"] = "../stem.onnx"


def _huge(values: dict[str, Any]) -> None:
    values["graphs"]["base"]["inputs"][0]["shape"] = [1 << 20, 1 << 20]


def _no_base(values: dict[str, Any]) -> None:
    del values["graphs"]["base"]


def _nowhere(values: dict[str, Any]) -> None:
    values["graphs"]["depth"]["reads"]["fine"] = "stem.coarse"


def _text_size(values: dict[str, Any]) -> None:
    values["input"]["width"] = "wide"


def _no_focal(values: dict[str, Any]) -> None:
    values["input"]["focal_length"] = 0


def _set(*keys: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change that sets the value at a path of keys, the last of which is the value."""
    *path, last, value = keys

    def change(values: dict[str, Any]) -> None:
        for key in path:
            values = values[key]
        values[last] = value

    change.__name__ = "_".join(map(str, (*path, last)))
    return change


_WRONG_VALUES = [
    _set("graphs", []),
    _set("tasks", []),
    _set("tasks", 0, "value_range", []),
    _set("tasks", 0, "kind", "edges"),
    _set("tasks", 1, "name", "normals"),
    _set("tasks", 1, "name", "my-depth"),
    _set("tasks", 1, "value_range", None),
    _set("tasks", 2, "channels", 4),
    _set("tasks", 2, "classes", 0, "colour", [0, 300, 0]),
    _set("input", "mean", [1.0]),
    _set("input", "scale", float("nan")),
    _set("input", "width", float("inf")),
    _set("input", "stride", 2),
    _set("input", "prefix", -1),
    _set("input", "prefix", 1),
    _set("selftest", "tolerance", 1e30),
]


@pytest.mark.parametrize("change", _WRONG_VALUES)
def test_a_malformed_or_unbounded_value_is_refused(
    copy: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    _edit(copy, change)
    with pytest.raises(BundleError, match=MANIFEST_NAME):
        load_manifest(copy)


@pytest.mark.parametrize("change", [_outside, _huge, _no_base, _nowhere, _text_size, _no_focal])
def test_a_manifest_with_impossible_values_is_refused(
    copy: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    _edit(copy, change)
    with pytest.raises(BundleError, match=MANIFEST_NAME):
        load_manifest(copy)


def test_a_graph_whose_shapes_are_not_the_manifests_is_refused(copy: Path) -> None:
    def widen(values: dict[str, Any]) -> None:
        values["graphs"]["stem"]["inputs"][0]["shape"] = [1, 3, 192, 256]

    _edit(copy, widen)
    with pytest.raises(BundleError, match=r"stem\.onnx: inputs are"):
        open_engine(copy)


def test_a_bundle_whose_outputs_are_wrong_fails_the_selftest(copy: Path) -> None:
    path = copy / "selftest.npz"
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["raw_depth_1"] = arrays["raw_depth_1"] * 1.01
    np.savez_compressed(path, **arrays)
    import hashlib

    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    _edit(copy, lambda v: v["selftest"].update(sha256=digest, size=path.stat().st_size))
    with pytest.raises(EngineError, match="self-test.*depth"):
        open_engine(copy)


def test_an_unknown_backend_is_refused_with_those_there_are(bundle_path: Path) -> None:
    with pytest.raises(EngineError, match="'cuda'.*onnxruntime"):
        open_engine(bundle_path, backend="cuda")


def test_a_bundle_opens_from_a_read_only_folder(copy: Path) -> None:
    for path in (*copy.iterdir(), copy):
        path.chmod(0o555)
    assert open_engine(copy).manifest.name == "small"
    copy.chmod(0o755)


def test_a_selftest_without_frames_is_refused(copy: Path) -> None:
    engine = open_engine(copy)
    with pytest.raises(BundleError, match="holds no frame"):
        run_selftest(engine, [])
