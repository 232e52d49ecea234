"""Compiled engines on disk: found by what they were compiled from and for, written atomically.

An engine file can run code, so the folder belongs to its user alone and never is a bundle's. A
file says in its first lines what it was compiled for, with a digest of the rest: one that was cut
short, or copied from another machine under whatever name, is not handed to TensorRT.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pkgutil
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from mtshare_ros.perception.engines.interface import EngineError

_MAGIC = b"mtshare_ros engine 1\n"
_MAX_HEADER = 1 << 16
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineKey:
    """All that decides whether a compiled engine may be used.

    Attributes:
        graph: SHA-256 of the bundle's graph.
        derivation: SHA-256 of the code that derives what is compiled.
        precision: ``fp32`` or ``fp16``.
        sizes: Numbers of rows it is compiled for.
        tensorrt: Version of TensorRT.
        gpu: Name of the GPU.
        capability: Its compute capability.
    """

    graph: str
    derivation: str
    precision: str
    sizes: tuple[int, ...]
    tensorrt: str
    gpu: str
    capability: tuple[int, int]

    @property
    def text(self) -> str:
        """The key as one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @property
    def digest(self) -> str:
        """SHA-256 of the key."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def derivation_digest() -> str:
    """Return the digest of the code that derives graphs, so that a change of it rebuilds."""
    code = pkgutil.get_data("mtshare_ros.perception.engines", "derived_graphs.py")
    return hashlib.sha256(code or b"").hexdigest()


def default_folder() -> Path:
    """Return the user's cache folder for engines (XDG base directories).

    Raises:
        EngineError: The user has no home folder.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():  # A relative one is to be ignored.
        cache = Path(os.path.expanduser("~/.cache"))
    if not cache.is_absolute():
        raise EngineError(
            "no folder for engines: HOME and XDG_CACHE_HOME are not set; expected one of them"
        )
    return cache / "mtshare_ros" / "engines"


class EngineFiles:
    """A folder of compiled engines."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use ``folder``, made if it is not there; None is ``default_folder()``.

        Raises:
            EngineError: The folder can't be made, or others than its user can write it.
        """
        self.folder = folder or default_folder()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = self.folder.stat()
        except OSError as error:
            raise EngineError(f"{self.folder}: no folder for engines: {error}") from error
        if status.st_uid != os.getuid() or status.st_mode & 0o022:
            raise EngineError(
                f"{self.folder}: found owner {status.st_uid} and mode {status.st_mode & 0o777:o}, "
                f"expected owner {os.getuid()} and no write access for others, as engine files "
                "can run code: chmod go-w, or remove the folder"
            )

    def path(self, name: str, key: EngineKey) -> Path:
        """Return where the engine of a graph is kept."""
        plain = re.sub(r"[^a-zA-Z0-9_]", "_", name)
        return self.folder / f"{plain}-{key.precision}-{key.digest[:20]}.engine"

    def load(self, name: str, key: EngineKey) -> bytes | None:
        """Return a compiled engine, or None if there is none that fits; says why in the log."""
        path = self.path(name, key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _LOG.warning("%s: can't be read, compiled again: %s", path, error)
            return None
        header, _, plan = content[len(_MAGIC) :].partition(b"\n")
        if not content.startswith(_MAGIC) or len(header) > _MAX_HEADER:
            _LOG.warning("%s: not an engine file, compiled again", path)
            return None
        if header != _header(key, plan):
            _LOG.warning("%s: made for another machine or cut short, compiled again", path)
            return None
        return plan

    def store(self, name: str, key: EngineKey, plan: bytes) -> Path:
        """Write a compiled engine, whole or not at all, and return its path.

        Raises:
            EngineError: It can't be written.
        """
        path = self.path(name, key)
        try:
            handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=f".{path.stem}.")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_MAGIC + _header(key, plan) + b"\n" + plan)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, path)
            except BaseException:
                os.unlink(temporary)
                raise
        except OSError as error:
            raise EngineError(f"{path}: engine not written: {error}") from error
        return path


def _header(key: EngineKey, plan: bytes) -> bytes:
    values = {"key": json.loads(key.text), "sha256": hashlib.sha256(plan).hexdigest()}
    return json.dumps(values, sort_keys=True).encode()
