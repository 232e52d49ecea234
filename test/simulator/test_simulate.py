"""The job behind `mtshare simulate`: what is asked for is what is rendered."""

from contextlib import contextmanager

import pytest

from mtshare_ros.errors import OptionError
from mtshare_ros.simulator import simulate
from mtshare_ros.simulator.simulate import check_size, write_clip


@pytest.fixture
def asked(monkeypatch):
    """What clips are rendered and how they are written, without either."""
    calls = []

    def render(*arguments, **options):
        calls.append((arguments, options))
        return iter(())

    @contextmanager
    def writer(path, compressed=False):
        calls.append((path, compressed))
        yield None

    monkeypatch.setattr(simulate, "render_clip", render)
    monkeypatch.setattr(simulate, "ClipWriter", writer)
    return calls


def test_every_option_reaches_the_clip_and_the_bag(asked, tmp_path):
    path = tmp_path / "c.mcap"
    options = {"textures": "B", "exposure_changes": True}
    write_clip(path, "pan", 7, 10, (64, 48), compressed=True, cuts=2, **options)
    written, (arguments, given) = asked
    assert written == (path, True) and arguments == ("pan", 7, 10, (64, 48))
    # Cuts divide the clip into equal parts.
    assert given == {**options, "cuts": [3, 6]}


def test_by_default_a_clip_is_plain(asked, tmp_path):
    write_clip(tmp_path / "c", "pan", 0, 1, (64, 48))
    written, (_, given) = asked
    assert written[1] is False
    assert given == {"textures": "auto", "exposure_changes": False, "cuts": []}


def test_sizes_from_the_shortest_to_the_longest_can_be_rendered():
    check_size((16, 4096))
    for size in ((15, 48), (64, 4097)):
        with pytest.raises(OptionError, match=f"size {size[0]}x{size[1]}: expected 16 to 4096"):
            check_size(size)


def test_there_are_fewer_cuts_than_frames(asked, tmp_path):
    write_clip(tmp_path / "c", "pan", 0, 3, (64, 48), cuts=2)
    for cuts in (3, -1):
        with pytest.raises(OptionError, match=f"cuts {cuts}: expected 0 to 2"):
            write_clip(tmp_path / "d", "pan", 0, 3, (64, 48), cuts=cuts)
