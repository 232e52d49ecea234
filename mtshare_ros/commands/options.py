"""Arguments and options that several commands share, and how their texts are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from mtshare_ros.errors import OptionError

DEMO_BUNDLE = Path("models/room")
DEMO_BAG = Path("demo/room.mcap")
"""What comes with the project."""

_BUNDLE = "Folder of a model bundle."
BundleArgument = Annotated[Path, typer.Argument(help=_BUNDLE)]
OptionalBundle = Annotated[Path | None, typer.Argument(help=_BUNDLE)]
BundleOption = Annotated[Path, typer.Option(help=_BUNDLE)]
Bag = Annotated[Path, typer.Option(help="Recorded bag with camera images.")]
Topic = Annotated[str | None, typer.Option(help="Topic of the images, if the bag has several.")]
Intrinsics = Annotated[
    Literal["auto", "p", "k"],
    typer.Option(
        help="Matrix of camera_info that describes the images: p of rectified, k of raw ones;"
        " auto goes by the topic's name."
    ),
]
Size = Annotated[str, typer.Option(help="Width and height of the images in pixels.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads to use.")]
Parameters = Annotated[
    list[str] | None, typer.Option(help="Node parameter, as output_size=input; repeatable.")
]


Kind = Literal["static", "pan", "drive", "handheld"]
"""How the camera of a simulated clip moves."""
Textures = Literal["auto", "A", "B", "mix"]
"""The pool that the textures of a simulated room are drawn from."""
Dataset = Literal["rooms", "nyud", "pascal_context", "folder"]
"""A kind of data set that `evaluate` reads."""
Protocol = Literal["stretch", "invpt", "mtl"]
"""How images of a data set are brought to the network's size."""
Precision = Literal["fp16", "fp32"]
"""What a GPU computes in."""
Purpose = Literal["run", "train"]
"""What a machine is to be used for."""


def refuse(given: Mapping[str, bool], why: str) -> None:
    """Refuse options that would be passed over without a word.

    Args:
        given: Option -> whether it was given, with another value than its default.
        why: What they can't be together with.

    Raises:
        OptionError: One was given; it is named.
    """
    for option, is_given in given.items():
        if is_given:
            raise OptionError(f"{option}: {why}")


def parse_size(text: str) -> tuple[int, int]:
    """Return (width, height) of a text such as ``320x240``.

    Raises:
        OptionError: The text is no size.
    """
    width, cross, height = text.partition("x")
    # Five digits each: more is no image, and Python refuses to read very long numbers.
    sides = [side for side in (width, height) if side.isdecimal() and len(side) <= 5]
    if cross and len(sides) == 2 and int(width) and int(height):
        return int(width), int(height)
    raise OptionError(f"--size {text[:32]!r}: expected WIDTHxHEIGHT, as 320x240")


def parse_parameters(texts: Sequence[str]) -> dict[str, bool | int | float | str]:
    """Return the values of texts such as ``output_size=input``, typed as ROS types them.

    Raises:
        OptionError: A text is not NAME=VALUE.
    """
    from mtshare_ros.settings import YamlError, parse_yaml

    values: dict[str, bool | int | float | str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise OptionError(f"--parameter {text!r}: expected NAME=VALUE, as output_size=input")
        if name in values:
            raise OptionError(f"--parameter {text!r}: {name} is given twice")
        try:
            values[name] = parse_yaml(value)
        except YamlError as error:
            raise OptionError(f"--parameter {text!r}: the value is not YAML") from error
        if not isinstance(values[name], bool | int | float | str | list):
            raise OptionError(f"--parameter {text!r}: expected a number, a text or a list")
    return values
