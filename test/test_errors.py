"""Errors that users meet: one line and an exit status, never a traceback."""

import errno
import importlib
import pkgutil

import pytest

import mtshare_ros
from mtshare_ros import cli
from mtshare_ros.errors import JobError, UserError, one_line, written

NOT_THERE = {"pycuda", "tensorrt"}
"""What some engines need and this machine may lack."""
INSIDE = {"CaptureError"}
"""Caught where they are raised, always."""


def import_everything():
    for module in pkgutil.walk_packages(mtshare_ros.__path__, "mtshare_ros."):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            assert error.name in NOT_THERE, module.name


def descendants(kind):
    for child in kind.__subclasses__():
        yield child
        yield from descendants(child)


def test_each_error_is_one_line_and_its_status_on_the_command_line(monkeypatch, capsys):
    import_everything()
    describe = importlib.import_module("mtshare_ros.bundle.describe")
    raised = set()
    for base, status in ((UserError, 2), (JobError, 1)):
        for kind in (base, *descendants(base)):
            error = kind.__new__(kind)  # Some take more than a message.
            error.args = ("x.yaml:\nfound 3, expected 4",)

            def failing(bundle, error=error):
                raise error

            monkeypatch.setattr(describe, "describe", failing)
            assert cli.run(["inspect", "anything"]) == status, kind
            assert capsys.readouterr().err == "error: x.yaml: found 3, expected 4\n", kind
            raised.add(kind.__name__)
    assert len(raised) > 18


def test_no_error_of_the_package_is_neither_a_users_nor_a_jobs():
    import_everything()
    others = {
        kind.__name__
        for kind in descendants(Exception)
        if kind.__module__.startswith("mtshare_ros.") and kind.__name__ not in INSIDE
        if not issubclass(kind, (UserError, JobError))
    }
    assert others == set()


@pytest.mark.parametrize(("base", "name"), [(UserError, "BundleError"), (JobError, "EngineError")])
def test_the_best_known_are_among_them(base, name):
    import_everything()
    assert name in {kind.__name__ for kind in descendants(base)}


def test_a_full_disk_is_named_by_the_file_that_was_written(tmp_path):
    with pytest.raises(OSError) as raised, written(tmp_path / "report.json"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert one_line(raised.value) == f"{tmp_path / 'report.json'}: No space left on device"
    with pytest.raises(FileNotFoundError) as missing, written(tmp_path / "report.json"):
        open(tmp_path / "none" / "x")
    assert one_line(missing.value) == f"{tmp_path / 'none' / 'x'}: No such file or directory"


def test_a_line_break_in_a_name_makes_no_second_line():
    assert one_line(FileNotFoundError(2, "No such file", "a  b\nc")) == "a  b c: No such file"
    assert one_line(UserError("a  b\n  c")) == "a  b c" and one_line(UserError("")) == "UserError"
