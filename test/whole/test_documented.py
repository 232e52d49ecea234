"""What README and docs show exists: commands parse, files and launch arguments are there."""

from __future__ import annotations

import re

import pytest
import typer

from mtshare_ros.cli import app
from support.documented import PAGES, ROOT, commands_of, documented

MTSHARE = documented("mtshare")


def test_commands_are_found_whole() -> None:
    page = (
        "text\n\n    mtshare a --b 'c d' \\\n        --e f   # why\n    other\n\n    make demo\n"
    )
    assert commands_of(page) == [["mtshare", "a", "--b", "c d", "--e", "f"], ["make", "demo"]]
    assert len(MTSHARE) > 25


def parse(words: list[str]) -> None:
    """Parse a command without running it.

    Raises:
        typer.TyperException: The command or an option doesn't exist, or a value doesn't fit.
    """
    group, rest = typer.main.get_command(app), words[1:]
    while hasattr(group, "resolve_command"):
        context = group.make_context(rest[0], [])  # type: ignore[attr-defined]
        _, group, rest = group.resolve_command(context, rest)
    group.make_context(words[1], rest)


@pytest.mark.parametrize("words", MTSHARE, ids=" ".join)
def test_the_parser_takes_a_documented_command(words: list[str]) -> None:
    parse(words)


@pytest.mark.parametrize("wrong", ["mtshare inspec models/room", "mtshare bench --with 192"])
def test_a_command_that_does_not_exist_is_noticed(wrong: str) -> None:
    with pytest.raises(typer.TyperException):
        parse(wrong.split())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_that_a_page_names_are_there(page) -> None:  # type: ignore[no-untyped-def]
    named = re.findall(
        r"\b((?:config|launch|test|requirements)/[\w./]+\.(?:yaml|py|xml|rviz))", page.read_text()
    )
    missing = [name for name in named if not (ROOT / name).is_file()]
    assert not missing


def test_make_has_every_target_that_is_shown() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {words[1] for words in documented("make")} <= set(targets)


@pytest.mark.parametrize(
    "words", [w for w in documented("ros2") if w[1:3] == ["launch", "mtshare_ros"]], ids=" ".join
)
def test_a_launch_file_declares_the_arguments_that_are_shown(words: list[str]) -> None:
    text = (ROOT / "launch" / words[3]).read_text()
    for argument in words[4:]:
        assert f'"{argument.partition(":=")[0]}"' in text, argument
