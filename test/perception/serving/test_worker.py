"""The thread that serves several cameras in turn."""

import threading
import time
from collections import Counter

import pytest

from mtshare_ros.perception.serving.worker import FairWorker

PATIENCE = 60.0


class Held:
    """A worker whose items stay in work until they are released one by one."""

    def __init__(self):
        """Start the worker."""
        self.seen, self.dropped = [], []
        self._started, self._release = threading.Semaphore(0), threading.Semaphore(0)
        self.worker = FairWorker(self._process, self.dropped.append)

    def _process(self, source, item):
        self.seen.append((source, item))
        self._started.release()
        assert self._release.acquire(timeout=PATIENCE)

    def wait_for_start(self):
        """Return when the next item is in work."""
        assert self._started.acquire(timeout=PATIENCE)

    def release(self):
        """Let the item in work be finished."""
        self._release.release()


@pytest.fixture
def held():
    result = Held()
    yield result
    for _ in range(20):
        result.release()
    assert result.worker.stop(PATIENCE)


def test_of_one_source_only_the_newest_item_is_taken_and_the_rest_counted(held):
    held.worker.put("a", 1)
    held.wait_for_start()
    for item in (2, 3, 4):
        held.worker.put("a", item)
    held.release()
    held.wait_for_start()
    assert held.seen == [("a", 1), ("a", 4)] and held.dropped == ["a", "a"]


def test_sources_take_turns_and_a_newer_item_keeps_the_turn_of_the_older(held):
    held.worker.put("a", 1)
    held.wait_for_start()
    held.worker.put("b", 1)
    held.worker.put("a", 2)
    held.worker.put("c", 1)
    held.worker.put("b", 2)
    for _ in range(3):
        held.release()
        held.wait_for_start()
    assert held.seen == [("a", 1), ("b", 2), ("a", 2), ("c", 1)] and held.dropped == ["b"]


def test_a_source_that_never_stops_starves_no_other(held):
    """Three sources always have an item waiting; a slow fourth puts one now and then."""
    for round_ in range(12):
        for source in "abc":
            held.worker.put(source, round_)
        if round_ % 4 == 0:
            held.worker.put("slow", round_)
            put_at = len(held.seen)
        held.wait_for_start()
        held.release()
        if ("slow", round_ // 4 * 4) in held.seen:
            assert held.seen.index(("slow", round_ // 4 * 4)) - put_at <= 4
    found = Counter(source for source, _ in held.seen)
    assert found["slow"] == 3 and max(found.values()) - min(found[s] for s in "abc") <= 1


def test_stopping_finishes_the_item_in_work_and_drops_the_waiting_ones(held):
    held.worker.put("a", 1)
    held.wait_for_start()
    held.worker.put("a", 2)
    held.worker.put("b", 1)
    threading.Timer(0.05, held.release).start()
    assert held.worker.stop(PATIENCE)
    assert held.seen == [("a", 1)] and held.dropped == ["a", "b"]


def test_a_worker_that_is_stuck_says_so_and_ends_when_it_comes_back(held):
    held.worker.put("a", 1)
    held.wait_for_start()
    time.sleep(0.02)
    work = held.worker.work
    assert (work.source, work.item) == ("a", 1) and work.seconds >= 0.02
    assert not held.worker.stop(0.01)
    held.release()
    assert held.worker.stop(PATIENCE) and held.worker.work is None


def test_what_comes_after_the_end_is_dropped_and_counted(held):
    assert held.worker.stop(PATIENCE) and held.worker.work is None
    held.worker.put("a", 1)
    held.worker.put("a", 2)
    assert held.dropped == ["a", "a"] and held.seen == []


def test_a_source_that_was_served_goes_to_the_end(held):
    held.worker.put("a", 1)
    held.wait_for_start()
    held.worker.put("a", 2)
    held.worker.put("b", 1)
    held.release()
    held.wait_for_start()
    held.worker.put("a", 3)
    for _ in range(2):
        held.release()
        held.wait_for_start()
    assert held.seen == [("a", 1), ("a", 2), ("b", 1), ("a", 3)] and held.dropped == []
