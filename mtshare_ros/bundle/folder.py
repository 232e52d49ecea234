"""A model bundle on disk: manifest, checksums and self-test record.

A bundle is a folder with a ``manifest.json``, one ONNX graph per stage and a self-test. Everything
that the online side needs to know about a model is in the manifest; nothing is guessed from
shapes. Opening a bundle reads data only: no code of the bundle is ever run, and every file is held
against the size and the SHA-256 that the manifest records.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from mtshare_ros.bundle.checks import check_manifest
from mtshare_ros.bundle.manifest import BundleError, Manifest, parse_manifest
from mtshare_ros.errors import written

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
SELFTEST_NAME = "selftest.npz"
MAX_MANIFEST_BYTES = 4 << 20


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_file(path: Path, sha256: str, size: int) -> None:
    """Hold a file of a bundle against its recorded size and digest.

    Raises:
        BundleError: The file is missing, cut short or changed.
    """
    if not path.is_file():
        raise BundleError(f"{path}: missing; the manifest lists it")
    found = path.stat().st_size
    if found != size:
        raise BundleError(f"{path}: {found} bytes, expected {size}; the file is cut or changed")
    if file_digest(path) != sha256:
        raise BundleError(f"{path}: SHA-256 differs from the manifest's; the file was changed")


def save_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest`` into ``folder``."""
    text = json.dumps(asdict(manifest), indent=1, allow_nan=False)
    with written(folder / MANIFEST_NAME):
        (folder / MANIFEST_NAME).write_text(text + "\n")


def load_manifest(folder: Path, verify: bool = True) -> Manifest:
    """Read and check the manifest of a bundle, and with ``verify`` every file that it lists.

    Raises:
        BundleError: The folder is no bundle, its schema is another, a value is malformed or out
            of bounds, or a file differs from what the manifest records.
    """
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise BundleError(f"{folder}: not a bundle, it has no {MANIFEST_NAME}")
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise BundleError(f"{path}: larger than {MAX_MANIFEST_BYTES} bytes")
    try:
        values = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: not JSON: {error}") from error
    if not isinstance(values, dict):
        raise BundleError(f"{path}: found {type(values).__name__}, expected an object")
    version = values.get("schema_version")
    if version != SCHEMA_VERSION:
        raise BundleError(f"{path}: schema_version {version!r}, expected {SCHEMA_VERSION}")
    try:
        manifest = parse_manifest(values)
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        raise BundleError(f"{path}: malformed manifest: {error!r}") from error
    check_manifest(path, manifest)
    if verify:
        for graph in manifest.graphs.values():
            check_file(folder / graph.file, graph.sha256, graph.size)
        check_file(folder / SELFTEST_NAME, manifest.selftest["sha256"], manifest.selftest["size"])
    return manifest
