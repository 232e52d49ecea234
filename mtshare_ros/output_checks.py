"""Looks at the place of an output before the work that makes it: a long job must not end in vain.

Nothing is left behind, so that a command that is refused for another reason has written nothing.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

_PROBE = bytes(4096)
"""What is written to see whether a disk has room."""


def check_output_file(path: Path) -> None:
    """Refuse a file that can't be written; folders that are missing can be made later.

    Raises:
        OSError: It names the file and says why.
    """
    if path.is_dir():
        raise _error(errno.EISDIR, path)
    if path.is_file():
        # Opened to append, it stays as it is.
        path.open("ab").close()
    elif not path.exists():
        # What a link without a target leads to is what will be made.
        made = Path(os.path.realpath(path))
        if made.is_symlink():
            raise _error(errno.ELOOP, path)
        _probe(made.parent, path)


def check_new_output(path: Path) -> None:
    """Refuse a file or a folder that is there already, or can't be made.

    Raises:
        OSError: It names the path and says why.
    """
    # A link is there, also if what it leads to is not.
    if path.exists() or path.is_symlink():
        text = "exists already; expected the name of something new"
        raise FileExistsError(errno.EEXIST, text, str(path))
    _probe(path.parent, path)


def check_output_folder(path: Path) -> None:
    """Refuse a folder that can't be made, or no file can be made in.

    Raises:
        OSError: It names the folder and says why.
    """
    if path.exists() and not path.is_dir():
        raise _error(errno.ENOTDIR, path)
    if path.is_symlink() and not path.exists():
        raise _error(errno.ENOENT, path)
    _probe(path, path)


def _probe(folder: Path, named: Path) -> None:
    """Write a file without a name where a folder is, or will be made."""
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            file.write(_PROBE)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(named)) from error


def _error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))
