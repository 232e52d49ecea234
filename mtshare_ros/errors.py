"""The errors that a command ends with in one line, and what that line says.

A user's mistake is known by its class, not by a broad ``except ValueError``: a ValueError out of
an array operation is a bug of this package and has to keep its traceback.
"""

from __future__ import annotations

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
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def _missing_extra(error: BaseException) -> str | None:
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    return EXTRAS.get(error.name.partition(".")[0])
