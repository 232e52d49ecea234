"""`mtshare video`: what it prints and what it refuses."""

import pytest
from PIL import Image

from mtshare_ros import cli
from mtshare_ros.commands import video
from support.video_files import write_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("clips") / "in.mp4")


def test_a_video_is_shown(capsys, tmp_path, clip, bundle_path):
    output = tmp_path / "out.webp"
    command = ["video", clip, "--bundle", bundle_path, "--output", output, "--width", 400]
    command += ["--unknown", "fill", "--columns", 2]
    assert cli.run([str(word) for word in command]) == 0
    said = capsys.readouterr().out
    for text in ("frames", "answered", "network, frames a second", "known pixels", str(output)):
        assert text in said
    animation = Image.open(output)
    assert animation.n_frames == 6 and animation.width == 400


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("CLIP --output out.mov", "--output out.mov: expected a name that ends in"),
        ("CLIP --output CLIP", "it is the input"),
        ("CLIP --output /proc/out.mp4", "/proc/out.mp4"),
        ("CLIP --output out.mp4 --topic image", "--topic: expected with a bag"),
        ("CLIP --output out.mp4 --focal-length 0", "--focal-length 0: expected fx / width"),
        ("lab.mcap --output out.mp4 --focal-length 1", "--focal-length: not with a bag"),
        ("lab.mcap --output out.mp4", "bag lab.mcap: not found"),
        ("none.mp4 --output out.mp4", "none.mp4: not found"),
        ("/dev/video987 --output out.mp4", "camera /dev/video987: there is no"),
        ("CLIP --output out.mp4 --bundle none", "none"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(capsys, monkeypatch, tmp_path, clip, given, said):
    monkeypatch.chdir(tmp_path)
    words = [str(clip) if word == "CLIP" else word for word in given.split()]
    assert cli.run(["video", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and said in error
    assert list(tmp_path.iterdir()) == []


def test_the_module_holds_the_command():
    assert video.video.__name__ == "video"
