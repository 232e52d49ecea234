"""What no manifest of ours says is refused, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mtshare_ros.bundle.checks import MAX_PREFIX, check_manifest
from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import BundleError, Manifest
from mtshare_ros.tasks import KINDS

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
