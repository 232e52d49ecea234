"""A run that ends before its frames do leaves a valid report, which says that it is partial."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mtshare_ros import cli
from mtshare_ros.datasets.bags.open_bag import BagError
from mtshare_ros.datasets.bags.reader import ClipReader
from mtshare_ros.evaluation.many_bags import evaluate_bags
from mtshare_ros.evaluation.run_options import Options
from mtshare_ros.evaluation.stopping import StoppedEarly, run_over
from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.perception.stream import PerceptionStream
from support.evaluations import evaluate_bag
from support.teacher_files import write_bag

FRAMES = 40
OPTIONS = Options(threads=1, policy="dense")
"""The policy that computes each frame once."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bag(tmp_path_factory.mktemp("bags") / "whole.mcap", FRAMES)


def chunks(bag: Path) -> list[tuple[int, int]]:
    """Return where each chunk of an MCAP file begins and ends."""
    data, place, found = bag.read_bytes(), 8, []
    while place < len(data) - 8:
        end = place + 9 + int.from_bytes(data[place + 1 : place + 9], "little")
        if data[place] == 6:
            found.append((place, end))
        place = end
    return found


@pytest.fixture(scope="module")
def cut_off(whole: Path) -> Path:
    """Return a bag that ends in the middle of its last chunk."""
    path = whole.with_name("cut_off.mcap")
    start, end = chunks(whole)[-1]
    path.write_bytes(whole.read_bytes()[: (start + end) // 2])
    return path


def evaluate(capsys: Any, bundle: Path, bag: Path, output: Path, *more: Any) -> tuple[int, str]:
    """Return the exit status and stderr of the command."""
    command = ["evaluate", bundle, "--bag", bag, "--output", output, "--threads", "1", *more]
    status = cli.run([str(word) for word in command])
    return status, capsys.readouterr().err


def report_of(folder: Path) -> Any:
    """Return the content of a report, after a look at its page."""
    report = json.loads((folder / "report.json").read_text())
    page = (folder / "index.html").read_text()
    assert page.rstrip().endswith("</html>")
    assert ("Partial:" in page) is not report["complete"]
    assert not list(folder.glob(".*"))
    return report


def test_a_bag_that_is_cut_off_is_evaluated_as_far_as_it_goes(
    capsys: Any, tmp_path: Path, bundle_path: Path, whole: Path, cut_off: Path
) -> None:
    recorded = tmp_path / "recorded.mcap"
    status, err = evaluate(capsys, bundle_path, cut_off, tmp_path, "--record", recorded)
    assert status == 2
    assert err.count("\n") == 1 and "cut_off.mcap: is cut off" in err
    report = report_of(tmp_path)
    assert report["complete"] is False and "is cut off" in report["stopped"]
    assert 10 < report["frames"] < FRAMES
    # The frames that are there are those of the whole bag.
    for found, expected in zip(
        ClipReader(whole), salvaged(cut_off, report["frames"]), strict=False
    ):
        assert found.stamp == expected.stamp and (found.rgb == expected.rgb).all()
        assert (found.normals == expected.normals).all()
    # So is what was recorded meanwhile.
    assert len(ClipReader(recorded)) == report["frames"]


def salvaged(bag: Path, count: int) -> list[Any]:
    """Return the frames of a bag that is cut off; the reader says so after the last one."""
    frames: list[Any] = []

    def read() -> None:
        for frame in ClipReader(bag):
            frames.append(frame)

    with pytest.raises(BagError, match="is cut off"):
        read()
    assert len(frames) == count
    return frames


@pytest.mark.parametrize("tail", [b"", bytes(5000), b"\x06" + b"\xff" * 8])
def test_whatever_follows_the_last_whole_record_does_no_harm(
    whole: Path, tmp_path: Path, tail: bytes
) -> None:
    path = tmp_path / "tail.mcap"
    path.write_bytes(whole.read_bytes()[: chunks(whole)[0][1]] + tail)
    reader = ClipReader(path)
    assert 0 < len(reader) < FRAMES
    assert len(salvaged(path, len(reader))) == len(reader)


def test_a_bag_that_is_cut_off_before_any_frame_is_one_that_can_not_be_read(
    capsys: Any, tmp_path: Path, bundle_path: Path, whole: Path
) -> None:
    path = tmp_path / "short.mcap"
    path.write_bytes(whole.read_bytes()[: chunks(whole)[0][1] - 1])
    status, err = evaluate(capsys, bundle_path, path, tmp_path / "out")
    assert status == 2 and "short.mcap: can't be read" in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_bag_that_is_damaged_on_the_way_is_evaluated_up_to_there(
    capsys: Any, tmp_path: Path, bundle_path: Path, whole: Path
) -> None:
    data = bytearray(whole.read_bytes())
    start, end = chunks(whole)[1]
    middle = (start + end) // 2
    data[middle : middle + 50] = b"\xff" * 50
    damaged = tmp_path / "damaged.mcap"
    damaged.write_bytes(data)
    status, err = evaluate(capsys, bundle_path, damaged, tmp_path / "out")
    assert status == 2 and "damaged.mcap: can't be read" in err and err.count("\n") == 1
    report = report_of(tmp_path / "out")
    assert report["complete"] is False and 0 < report["frames"] < FRAMES
    assert report["expected_frames"] == FRAMES


def fail_at(monkeypatch: pytest.MonkeyPatch, number: int, error: Exception) -> None:
    """Let the stream fail at a frame, counted from 1 with those of warming up."""
    step, seen = PerceptionStream.step, []

    def failing(self: Any, *arguments: Any) -> Any:
        seen.append(1)
        if len(seen) == number:
            raise error
        return step(self, *arguments)

    monkeypatch.setattr(PerceptionStream, "step", failing)


def test_an_engine_that_fails_leaves_the_report_of_the_frames_before(
    capsys: Any, tmp_path: Path, bundle_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(monkeypatch, 3 + 6, EngineError("out of memory"))
    status, err = evaluate(capsys, bundle_path, whole, tmp_path, "--policy", "dense")
    assert (status, err) == (1, "error: out of memory\n")
    report = report_of(tmp_path)
    assert (report["frames"], report["stopped"]) == (5, "out of memory")


def test_a_bug_keeps_its_traceback_and_leaves_no_report(
    tmp_path: Path, bundle_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(monkeypatch, 3 + 6, IndexError("a bug"))
    with pytest.raises(IndexError, match="a bug"):
        evaluate_bag(bundle_path, whole, tmp_path, OPTIONS)
    assert not list(tmp_path.iterdir())


def test_of_many_bags_one_that_is_cut_off_has_its_report_and_is_no_success(
    tmp_path: Path, bundle_path: Path, cut_off: Path
) -> None:
    found = evaluate_bags(bundle_path, [cut_off], tmp_path, OPTIONS)["bags"]["cut_off"]
    assert found["state"] == "failed"
    report = report_of(tmp_path / "cut_off")
    assert (
        f"is cut off; expected a file that ends with an index; report of {report['frames']}"
        in (found["error"])
    )


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_ends_a_run_after_the_frame_at_work() -> None:
    before, seen = signal.getsignal(signal.SIGINT), []

    def step(frame: int) -> None:
        if frame == 3:
            interrupt()
        seen.append(frame)

    stop = run_over(range(9), 9, step)
    assert isinstance(stop, KeyboardInterrupt) and "after 4 of 9 frames" in str(stop)
    assert seen == [0, 1, 2, 3]
    assert signal.getsignal(signal.SIGINT) is before


def test_each_frame_is_counted_once_it_is_done() -> None:
    counts: list[tuple[int, int]] = []
    assert run_over("abc", 5, lambda _: None, lambda *count: counts.append(count)) is None
    assert counts == [(1, 5), (2, 5), (3, 5)]


@pytest.mark.parametrize("frames_before", [0, 2])
def test_a_mistake_before_any_frame_is_raised_and_one_after_it_ends_the_run(
    frames_before: int,
) -> None:
    mistake = EngineError("out of memory")

    def step(frame: int) -> None:
        if frame == frames_before:
            raise mistake

    if frames_before:
        assert run_over(range(9), 9, step) is mistake
    else:
        with pytest.raises(EngineError):
            run_over(range(9), 9, step)


def test_ctrl_c_while_there_is_no_frame_yet_is_no_end_of_the_frames() -> None:
    def source() -> Iterator[int]:
        interrupt()
        yield from ()

    with pytest.raises(KeyboardInterrupt):
        run_over(source(), 0, lambda _: None)


def test_a_run_in_a_thread_gets_no_signals_and_does_without() -> None:
    before = signal.getsignal(signal.SIGINT)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(run_over, range(3), 3, lambda _: None).result() is None
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_ends_it_at_once() -> None:
    before, seen = signal.getsignal(signal.SIGINT), []

    def step(frame: int) -> None:
        interrupt()
        interrupt()
        seen.append(frame)

    with pytest.raises(KeyboardInterrupt):
        run_over(range(9), 9, step)
    assert not seen and signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_in_a_terminal_that_showed_the_remaining_time_leaves_a_report(
    tmp_path: Path, bundle_path: Path
) -> None:
    bag, frames = write_bag(tmp_path / "long.mcap", 3000, still=300), 3000
    command = [sys.executable, "-m", "mtshare_ros", "evaluate", bundle_path, "--bag", bag]
    command += ["--output", tmp_path / "out", "--threads", "1"]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(word) for word in command], stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "COLUMNS": "100", "TERM": "xterm"}, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    shown, sent = "", False
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 1)[0]:
            continue
        try:
            shown += os.read(ours, 65536).decode(errors="replace")
        except OSError:  # Its other end is closed.
            break
        # The remaining time is known from the second update on.
        if not sent and re.search(rf"\d+/{frames}\D*\d+:\d\d:\d\d", without_colours(shown)):
            process.send_signal(signal.SIGINT)
            sent = True
    assert sent, shown
    assert process.wait(timeout=60) == 130
    os.close(ours)
    report = report_of(tmp_path / "out")
    assert report["complete"] is False and 0 < report["frames"] < frames
    expected = f"interrupted after {report['frames']} of {frames} frames"
    assert report["stopped"] == expected and f"error: {expected}" in without_colours(shown)
    assert "Traceback" not in shown


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_memory_does_not_grow_with_the_bag(tmp_path: Path, bundle_path: Path) -> None:
    bag = write_bag(tmp_path / "long.mcap", 360, still=60)
    resident: list[float] = []

    def look(*_: int) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        resident.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)

    evaluate_bag(bundle_path, bag, tmp_path / "out", OPTIONS, look)
    # Images, maps and truths of a frame are 110 KB: 26 MB in these 240 frames.
    assert resident[-1] - resident[119] < 8, resident[::20]


def test_the_report_of_a_stopped_run_is_with_the_error(
    tmp_path: Path, bundle_path: Path, cut_off: Path
) -> None:
    with pytest.raises(StoppedEarly) as stopped:
        evaluate_bag(bundle_path, cut_off, tmp_path, OPTIONS)
    assert stopped.value.numbers == report_of(tmp_path)
    assert isinstance(stopped.value.reason, BagError)
