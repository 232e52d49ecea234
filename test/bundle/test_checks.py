"""What no manifest of ours says is refused, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mtshare_ros.bundle import checks
from mtshare_ros.bundle.checks import (
    MAX_FILE_BYTES,
    MAX_PREFIX,
    MAX_SELFTEST_TOLERANCE,
    check_manifest,
)
from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import BundleError, Manifest, TensorSpec
from mtshare_ros.tasks import KINDS, ROOM_CLASSES

PATH = Path("models/x/manifest.json")


def with_task(manifest: Manifest, **changes: object) -> Manifest:
    first, *others = manifest.tasks
    return replace(manifest, tasks=(replace(first, **changes), *others))  # type: ignore[arg-type]


def with_input(manifest: Manifest, **changes: object) -> Manifest:
    return replace(manifest, input=replace(manifest.input, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: replace(m, tasks=()), "no tasks"),
        (lambda m: replace(m, tasks=(m.tasks[0],) * 2), "a name is there twice"),
        (lambda m: with_task(m, name="Normals!"), "expected a name of a-z"),
        (lambda m: with_task(m, name="stem"), "expected a name of a-z"),
        (lambda m: with_task(m, kind="smell"), "kind 'smell', expected one of"),
        (lambda m: with_task(m, channels=2), "2 channels, expected 3"),
        (lambda m: with_task(m, kind="depth", channels=1, value_range=(2, 1)), "value_range"),
        (lambda m: with_input(m, width=8), "input 8x96"),
        (lambda m: with_input(m, prefix=MAX_PREFIX + 1), f"prefix {MAX_PREFIX + 1}"),
    ],
)
def test_it_names_the_file_what_was_found_and_what_was_expected(
    bundle_path: Path, change: Callable[[Manifest], Manifest], says: str
) -> None:
    manifest = load_manifest(bundle_path)
    check_manifest(PATH, manifest)
    with pytest.raises(BundleError) as caught:
        check_manifest(PATH, change(manifest))
    assert says in str(caught.value) and str(PATH) in str(caught.value)


def test_every_kind_is_taken_with_its_channels(bundle_path: Path) -> None:
    manifest = load_manifest(bundle_path)
    classes = next(task.classes for task in manifest.tasks if task.classes)
    for kind in KINDS.values():
        first, *others = manifest.tasks
        task = kind.task(first.name, classes if kind.has_classes else ())
        check_manifest(PATH, replace(manifest, tasks=(task, *others)))


def with_graph(manifest: Manifest, **changes: object) -> Manifest:
    """Return a manifest whose graph ``depth`` has changes."""
    graph = replace(manifest.graphs["depth"], **changes)  # type: ignore[arg-type]
    return replace(manifest, graphs={**manifest.graphs, "depth": graph})


def with_tensor(manifest: Manifest, **changes: object) -> Manifest:
    """Return a manifest whose graph ``depth`` has a first input with changes."""
    first, *others = manifest.graphs["depth"].inputs
    changed = replace(first, **changes)  # type: ignore[arg-type]
    return with_graph(manifest, inputs=(changed, *others))


def with_tolerance(manifest: Manifest, tolerance: float) -> Manifest:
    return replace(manifest, selftest={**manifest.selftest, "tolerance": tolerance})


def with_labels(manifest: Manifest, channels: int, classes: int) -> Manifest:
    known = (ROOM_CLASSES * 20)[:classes]
    return with_task(manifest, kind="segmentation", channels=channels, classes=known)


def with_colour(manifest: Manifest, colour: tuple[int, int, int]) -> Manifest:
    """Return a manifest whose first task has one class of a colour."""
    known = (replace(ROOM_CLASSES[0], colour=colour),)
    return with_task(manifest, kind="segmentation", channels=1, classes=known)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: with_input(m, width=8208), "input 8208x96, expected 16 to 8192"),
        (lambda m: with_input(m, height=0), "input 128x0"),
        (lambda m: with_input(m, height=8), "input 128x8"),
        (lambda m: with_input(m, stride=12), "stride 12: expected a multiple of 4"),
        (lambda m: with_input(m, width=96, stride=6), "stride 6: expected a multiple of 4"),
        (lambda m: with_input(m, stride=64), "stride 64: .* divides the input size"),
        (lambda m: with_input(m, height=128, width=112, stride=32), "stride 32"),
        (lambda m: with_input(m, fine_stride=2), "stride 2"),
        (lambda m: with_input(m, fine_stride=0), "stride 0"),
        (lambda m: with_input(m, focal_length=-0.8), "focal_length -0.8"),
        (lambda m: with_input(m, focal_length=INF), "focal_length inf"),
        (lambda m: with_input(m, focal_length=NAN), "focal_length nan"),
        (lambda m: with_input(m, scale=0.0), "scale 0.0"),
        (lambda m: with_input(m, scale=INF), "scale inf"),
        (lambda m: with_input(m, mean=(1.0, NAN, 1.0)), "mean .* expected numbers"),
        (lambda m: with_input(m, prefix=-1), "prefix -1"),
        (lambda m: with_tolerance(m, 0.0), "tolerance 0.0"),
        (lambda m: with_tolerance(m, -1e-3), "tolerance -0.001"),
        (lambda m: with_tolerance(m, NAN), "tolerance nan"),
        (lambda m: with_tolerance(m, 1.01 * MAX_SELFTEST_TOLERANCE), "tolerance 0.0505"),
        (lambda m: with_labels(m, 256, 256), "256 channels"),
        (lambda m: with_labels(m, 0, 0), "0 channels"),
        (lambda m: with_labels(m, 16, 15), "15 classes for 16 channels"),
        (lambda m: with_task(m, kind="depth", channels=1, value_range=(0, 5)), "value_range"),
        (lambda m: with_task(m, kind="depth", channels=1, value_range=(2, 2)), "value_range"),
        (lambda m: with_task(m, kind="depth", channels=1, value_range=(1, INF)), "value_range"),
        (lambda m: with_task(m, kind="depth", channels=1, value_range=(NAN, 5)), "value_range"),
        (lambda m: with_task(m, kind="depth", channels=1, value_range=None), "value_range None"),
        (lambda m: with_task(m, name="base"), "expected a name of a-z"),
        (lambda m: with_task(m, name="depth\n"), "expected a name of a-z|twice"),
        (lambda m: with_task(m, name="9th"), "expected a name of a-z"),
        (lambda m: with_task(m, name="other"), "no graph 'other'"),
        (lambda m: with_graph(m, file="sub/depth.onnx"), "leaves the bundle"),
        (lambda m: with_graph(m, file=".."), "leaves the bundle"),
        (lambda m: with_graph(m, file=""), "leaves the bundle"),
        (lambda m: with_graph(m, file="/etc/passwd"), "leaves the bundle"),
        (lambda m: with_graph(m, size=0), "graph depth: size 0"),
        (lambda m: with_graph(m, size=MAX_FILE_BYTES + 1), "graph depth: size"),
        (lambda m: with_graph(m, state={"none": "raw"}), "no cache 'none' -> 'raw'"),
        (lambda m: with_graph(m, state={"index": "none"}), "no cache 'index' -> 'none'"),
        (lambda m: with_graph(m, reads={"none": "stem.fine"}), "'none' can't read 'stem.fine'"),
        (lambda m: with_graph(m, reads={"fine": "stern.fine"}), "can't read 'stern.fine'"),
        (lambda m: with_graph(m, reads={"fine": "fine"}), "can't read 'fine'"),
        (lambda m: with_graph(m, reads={"fine": "stem.none"}), "can't read 'stem.none'"),
        (lambda m: with_graph(m, reads={}), "comes from nowhere"),
        (lambda m: with_colour(m, (0, 0, 256)), "colours of classes; expected 0 to 255"),
        (lambda m: with_colour(m, (-1, 0, 0)), "colours of classes; expected 0 to 255"),
        (lambda m: with_tensor(m, dtype="float16"), "dtype 'float16'"),
        (lambda m: with_tensor(m, shape=(0, 4)), "out of bounds"),
        (lambda m: with_tensor(m, shape=(-48, -48)), "out of bounds"),
        (lambda m: with_tensor(m, shape=(1 << 15, 1 << 14)), "out of bounds"),
    ],
)
def test_each_bound_is_held(
    bundle_path: Path, change: Callable[[Manifest], Manifest], says: str
) -> None:
    with pytest.raises(BundleError, match=says):
        check_manifest(PATH, change(load_manifest(bundle_path, verify=False)))


@pytest.mark.parametrize(
    "change",
    [
        lambda m: with_tolerance(m, MAX_SELFTEST_TOLERANCE),
        lambda m: with_input(m, prefix=0),
        lambda m: with_colour(m, (0, 255, 0)),
        lambda m: with_labels(m, 255, 255),
        lambda m: with_labels(m, 1, 1),
        lambda m: with_graph(m, size=MAX_FILE_BYTES),
        lambda m: with_task(m, kind="depth", channels=1, value_range=(1e-3, 1e6)),
    ],
)
def test_what_is_just_within_its_bound_is_taken(
    bundle_path: Path, change: Callable[[Manifest], Manifest]
) -> None:
    check_manifest(PATH, change(load_manifest(bundle_path, verify=False)))


def test_a_cache_has_a_row_for_each_token_and_each_prefix_token(bundle_path: Path) -> None:
    manifest = load_manifest(bundle_path, verify=False)
    graph = manifest.graphs["depth"]
    cache = next(iter(graph.state))
    for rows in (47, 49):
        inputs = tuple(
            replace(t, shape=(rows, *t.shape[1:])) if t.name == cache else t for t in graph.inputs
        )
        with pytest.raises(BundleError, match=f"cache {cache}: shape .* expected 48 rows"):
            check_manifest(PATH, with_graph(manifest, inputs=inputs))
    with pytest.raises(BundleError, match="expected 50 rows"):
        check_manifest(PATH, with_input(manifest, prefix=2))


def test_tensors_are_bounded_together_as_well(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = load_manifest(bundle_path, verify=False)
    tensors: list[TensorSpec] = []
    for graph in manifest.graphs.values():
        tensors += [*graph.inputs, *graph.outputs]
    total = 0
    for tensor in tensors:
        elements = 1
        for side in tensor.shape:
            elements *= 1 if side is None else side
        total += elements
    monkeypatch.setattr(checks, "MAX_STATE_ELEMENTS", total)
    check_manifest(PATH, manifest)
    monkeypatch.setattr(checks, "MAX_STATE_ELEMENTS", total - 1)
    with pytest.raises(BundleError, match=f"tensors of {total} elements together"):
        check_manifest(PATH, manifest)
