"""What is in a bundle, as tables for people."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.gpu_memory import gpu_memory
from mtshare_ros.bundle.manifest import Manifest

Described = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""Title, column names and rows of a table."""


def describe(bundle: Path) -> list[Described]:
    """Return the tables that `mtshare inspect` prints; the bundle's checksums are verified.

    Raises:
        BundleError: The bundle can't be used.
    """
    manifest = load_manifest(bundle)
    tables = [_about(manifest), _tasks(manifest), _shares(manifest)]
    tables += [_graphs(manifest), _memory(manifest), _metrics(manifest)]
    return [table for table in tables if table[2]]


def _about(manifest: Manifest) -> Described:
    frame = manifest.input
    rows, columns = frame.grid
    network = ", ".join(f"{key} {value}" for key, value in manifest.network.items())
    facts = [
        ("description", manifest.description),
        (
            "input",
            f"{frame.width}x{frame.height} RGB, focal length {frame.focal_length:.3f} widths",
        ),
        ("tokens", f"{rows} x {columns} = {frame.tokens}, {frame.stride} pixels each"),
        ("network", network),
        ("schema", str(manifest.schema_version)),
    ]
    return manifest.name, ("", ""), list(facts)


def _tasks(manifest: Manifest) -> Described:
    rows = []
    for task in manifest.tasks:
        share = manifest.private.get(task.name)
        base = "base" if task.name == manifest.base_task.name else ""
        rows.append(
            (
                task.name,
                base or ("" if share is None else f"{100 * share.rho:.1f} % private"),
                task.units + (f", {len(task.classes)} classes" if task.classes else ""),
            )
        )
    return "Tasks", ("task", "share", "values"), rows


def _shares(manifest: Manifest) -> Described:
    names = list(manifest.private)
    depth = max((len(share.layers) for share in manifest.private.values()), default=0)
    rows = [
        (
            str(block),
            *(
                f"{layers[block].heads} heads, {layers[block].neurons} neurons"
                if block < len(layers)
                else ""
                for layers in (manifest.private[name].layers for name in names)
            ),
        )
        for block in range(depth)
    ]
    return "Private units of each block", ("block", *names), rows


def _graphs(manifest: Manifest) -> Described:
    rows = [
        (name, graph.file, f"{graph.size / 1e6:.2f} MB", str(len(graph.state)))
        for name, graph in manifest.graphs.items()
    ]
    total = sum(graph.size for graph in manifest.graphs.values())
    rows.append(("all", "", f"{total / 1e6:.2f} MB", ""))
    return "Graphs", ("graph", "file", "size", "caches"), rows


def _memory(manifest: Manifest) -> Described:
    rows = []
    for precision in ("fp16", "fp32"):
        memory = gpu_memory(manifest, precision)
        parts = (memory.weights, memory.caches, memory.working)
        rows.append((precision, *(f"{part / 1e6:.0f} MB" for part in parts)))
    header = ("on a GPU", "weights", "caches, each camera", "working memory, each camera")
    return "Memory", header, rows


def _metrics(manifest: Manifest) -> Described:
    rows = [(" ".join(path), f"{value:.4g}") for path, value in _numbers(manifest.metrics)]
    return "Held-out metrics", ("metric", "value"), rows


def _numbers(tree: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield the path and the value of each number in nested mappings."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from (((key, *path), number) for path, number in _numbers(value))
        elif isinstance(value, int | float) and abs(value) <= sys.float_info.max:
            yield (key,), float(value)
