"""Picks and opens OpenGL without a screen: EGL, or OSMesa where there is none.

MuJoCo reads the variable ``MUJOCO_GL`` when it is imported, and fails there if the library is
missing. So the modules of this package take ``mujoco`` from here, after the choice was made.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

from mtshare_ros.errors import UserError

_LIBRARIES = {
    "egl": ("libEGL.so.1", "libEGL.so"),
    "osmesa": ("libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so"),
}


class GLUnavailableError(UserError):
    """No OpenGL library that renders without a screen could be used."""


def _present(backend: str) -> bool:
    """Return whether the library of a backend can be loaded."""
    for name in _LIBRARIES[backend]:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False


def _candidates() -> list[str]:
    """Return the backends to try: the one that MUJOCO_GL names, else both."""
    asked = os.environ.get("MUJOCO_GL", "").lower().strip()
    return [asked] if asked in _LIBRARIES else list(_LIBRARIES)


_TRIED = _candidates()
BACKEND = next((name for name in _TRIED if _present(name)), None)
"""``egl``, ``osmesa``, or None where neither library is installed."""

os.environ["MUJOCO_GL"] = BACKEND or "disable"
import mujoco  # noqa: E402

__all__ = ["BACKEND", "GLUnavailableError", "mujoco", "open_context", "require_gl"]


def _unavailable(found: str) -> GLUnavailableError:
    return GLUnavailableError(
        f"no OpenGL for rendering without a screen: {found}; expected a working EGL "
        "(apt install libegl1) or OSMesa (apt install libosmesa6)"
    )


def require_gl() -> None:
    """Raise ``GLUnavailableError`` where no library for rendering is installed."""
    if BACKEND is None:
        missing = " and ".join(_LIBRARIES[name][0] for name in _TRIED)
        raise _unavailable(f"tried {' and '.join(_TRIED)}, and did not find {missing}")


def open_context(width: int, height: int) -> Any:
    """Return a current MuJoCo ``GLContext`` that can hold ``width`` x ``height`` pixels.

    Raises:
        GLUnavailableError: Where no library is installed, or it can't open a context.
    """
    require_gl()
    try:
        context = mujoco.GLContext(width, height)
        context.make_current()
    except Exception as error:  # PyOpenGL raises many kinds, and all mean the same here.
        raise _unavailable(f"{BACKEND} is installed but failed ({error})") from error
    return context
