"""The commands that README and docs show, as lists of words."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_PROGRAMS = ("mtshare", "make", "python", "torchrun", "ros2")


def commands_of(text: str) -> list[list[str]]:
    """Return every command in the indented blocks of a page, without its comment."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = re.findall(r"^ {4,}(?:\$ )?(.+)$", joined, re.MULTILINE)
    found = []
    for line in lines:
        if line.split()[0] in _PROGRAMS:
            found.append(shlex.split(line, comments=True))
    return found


def documented(program: str) -> list[list[str]]:
    """Return the documented commands of a program, each once, in the order of the pages."""
    every = [c for page in PAGES for c in commands_of(page.read_text()) if c[0] == program]
    return [list(words) for words in dict.fromkeys(tuple(c) for c in every)]
