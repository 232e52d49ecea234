"""Damage to the bytes of a file, as disks, editors, networks and people do it; seeded."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

Generator = np.random.Generator


def _cut(data: bytes, rng: Generator) -> bytes:
    return data[: int(rng.integers(len(data) + 1))]


def _head_lost(data: bytes, rng: Generator) -> bytes:
    return data[int(rng.integers(1, len(data) + 1)) :]


def _swapped(data: bytes, rng: Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        first, second = rng.integers(len(changed), size=2)
        changed[first], changed[second] = changed[second], changed[first]
    return bytes(changed)


def _overwritten(data: bytes, rng: Generator) -> bytes:
    changed = bytearray(data)
    at = int(rng.integers(len(changed)))
    noise = rng.integers(0, 256, int(rng.integers(1, 64)), dtype=np.uint8).tobytes()
    changed[at : at + len(noise)] = noise
    return bytes(changed)


def _bit(data: bytes, rng: Generator) -> bytes:
    changed = bytearray(data)
    # Headers come first: a fault there does more.
    reach = len(changed) if rng.random() < 0.5 else min(len(changed), 200)
    changed[int(rng.integers(reach))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _lost(data: bytes, rng: Generator) -> bytes:
    at = int(rng.integers(len(data)))
    return data[:at] + data[at + int(rng.integers(1, 100)) :]


def _twice(data: bytes, rng: Generator) -> bytes:
    at = int(rng.integers(len(data)))
    return data[:at] + data[max(0, at - int(rng.integers(1, 100))) :]


def _zeros(data: bytes, rng: Generator) -> bytes:
    at = int(rng.integers(len(data)))
    count = min(len(data) - at, int(rng.integers(1, 200)))
    return data[:at] + bytes(count) + data[at + count :]


def _digit(data: bytes, rng: Generator) -> bytes:
    """Change a number of a text, or of what a text in a header says."""
    places = [at for at, byte in enumerate(data[:20000]) if 48 <= byte <= 57]
    if not places:
        return _bit(data, rng)
    at = int(rng.choice(places))
    numbers = (b"-1", b"0", b"9" * 12, b"1e999", b".nan", b"NaN", b"null", b"[]", b"{}", b'"x"')
    return data[:at] + bytes(numbers[int(rng.integers(len(numbers)))]) + data[at + 1 :]


MUTATIONS: tuple[Callable[[bytes, Generator], bytes], ...] = (
    _cut,
    _head_lost,
    _swapped,
    _overwritten,
    _bit,
    _lost,
    _twice,
    _zeros,
    _digit,
)

WHOLE = {
    "empty": b"",
    "zeros": bytes(300),
    "binary": bytes(range(256)) * 2,
    "latin": "caf\u00e9: \u00fc\n".encode("latin-1"),
    "utf-16": "a: 1\nb: [2]\n".encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbfa: 1\n",
    "tabs": b"a:\n\t- b\n",
    "dates": b"2020-01-02: 2020-99-99\n",
    "whole numbers as keys": b"1: 2\n3: 4\n",
    "lists as keys": b"? [a]\n: b\n",
    "nan": b"a: .nan\nb: -.inf\n",
    "bomb": b"a: &a [x, x, x, x, x, x, x, x, x]\n"
    + b"".join(
        b"%c: &%c [%s]\n" % (c, c, b", ".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 108)
    ),
    "bomb of merges": b"a: &a {x: 1}\n"
    + b"".join(
        b"%c: &%c {<<: [%s]}\n" % (c, c, b", ".join([b"*%c" % (c - 1)] * 9))
        for c in range(98, 108)
    ),
    "inside itself": b"&a [*a]\n",
    "tag": b"!!python/object/apply:os.system [false]\n",
    "timestamp": b"a: !!timestamp nothing\n",
    "deep lists": b"- " * 700,
    "deep objects": b'{"a":' * 1100,
    "long number": b"9" * 5000,
    "JSON list": b"[1, 2]",
    "JSON text": b'"text"',
    "JSON NaN": b'{"a": NaN, "version": 1e999}',
    "surrogate": b'{"name": "\\ud800"}',
    "pickle": b"\x80\x04cos\nsystem\n(S'false'\ntR.",
    "archive": b"PK\x05\x06" + bytes(18),
    "PNG": b"\x89PNG\r\n\x1a\n" + bytes(40),
    "JPEG": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(40) + b"\xff\xd9",
    "array": b"\x93NUMPY\x01\x00v\x00"
    + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117)
    + b"\n\x80\x04N.",
    "MATLAB": b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + bytes(64),
    "HDF": b"\x89HDF\r\n\x1a\n" + bytes(64),
}
"""What a file may be instead of what its name says."""


def mutated(data: bytes, seed: int, count: int) -> Iterator[bytes]:
    """Yield damaged copies of some bytes, one to three faults in each."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        changed = data
        for _ in range(int(rng.integers(1, 4))):
            if changed:
                changed = MUTATIONS[int(rng.integers(len(MUTATIONS)))](changed, rng)
        yield changed
