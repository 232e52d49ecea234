"""The errors that a command ends with in one line, and what that line says.

A user's mistake is known by its class, not by a broad ``except ValueError``: a ValueError out of
an array operation is a bug of this package and has to keep its traceback.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EXTRAS = {
    "torch": "offline",
    "onnx": "offline",
    "onnxscript": "offline",
    "mujoco": "offline",
    "safetensors": "offline",
    "tensorboard": "offline",
    "ray": "cluster",
    "jinja2": "report",
    "pydantic": "report",
    "yaml": "report",
    "PIL": "report",
    "matplotlib": "report",
    "rosbags": "report",
    "mcap": "report",
    "zstandard": "report",
    "scipy": "report",
    "onnxruntime": "online",
    "cv2": "online",
    "numpy": "online",
    "simplejpeg": "online",
    "rclpy": "ros",
    "sensor_msgs": "ros",
    "diagnostic_msgs": "ros",
    "std_srvs": "ros",
}
"""Module -> the extra of this package that installs it."""


class UserError(ValueError):
    """Something a user gave can't be used: exit status 2.

    The message names the file, topic or option, what was found and what was expected.
    """


class OptionError(UserError):
    """An option's value can't be used."""


class JobError(RuntimeError):
    """A job was asked for rightly and failed or gave what it must not give: exit status 1."""


def exit_status(error: BaseException) -> int | None:
    """Return the exit status that an error stands for; None if it is a bug."""
    if isinstance(error, (UserError, OSError)) or _missing_extra(error):
        return 2
    return 1 if isinstance(error, JobError) else None


def one_line(error: BaseException) -> str:
    """Return what to tell the user about an error, in one line."""
    extra = _missing_extra(error)
    if extra:
        assert isinstance(error, ModuleNotFoundError)
        return f"{error.name} is not installed: pip install 'mtshare_ros[{extra}]'"
    if isinstance(error, OSError) and error.filename is not None:
        return in_one_line(f"{error.filename}: {error.strerror}")
    return reason_of(error)


def reason_of(error: BaseException) -> str:
    """Return what an error says, in one line; the name of its class where it says nothing."""
    return in_one_line(str(error)) or type(error).__name__


def in_one_line(text: str) -> str:
    """Return a text without its line breaks; other blanks may be those of a file's name."""
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Name a file in the errors of its writing: that of a full disk names none.

    Raises:
        OSError: As it was raised, with the file's name.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _missing_extra(error: BaseException) -> str | None:
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    return EXTRAS.get(error.name.partition(".")[0])
