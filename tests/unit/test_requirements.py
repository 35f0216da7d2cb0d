"""The requirement files are complete: what pip would bring by itself is pinned as well."""

import re
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
FILES = ("requirements.txt", "tests/requirements.txt")


def pins(file: str) -> Iterator[Requirement]:
    """Yield each requirement of a file and of those that it includes."""
    path = ROOT / file
    for line in path.read_text().splitlines():
        words = re.sub(r"(^|\s)#.*", "", line).strip()
        if words.startswith("-r "):
            yield from pins(str((path.parent / words[3:]).resolve().relative_to(ROOT)))
        elif words:
            yield Requirement(words)


def needs(package: str, extras: set[str]) -> Iterator[Requirement]:
    """Yield what an installed package asks for on this machine."""
    for text in requires(package) or []:
        wanted = Requirement(text)
        contexts = [{"extra": extra} for extra in ("", *extras)]
        if wanted.marker is None or any(wanted.marker.evaluate(context) for context in contexts):
            yield wanted


@pytest.mark.parametrize("file", FILES)
def test_every_requirement_is_pinned_with_all_that_it_brings(file):
    pinned = {canonicalize_name(one.name): one for one in pins(file)}
    assert [str(one) for one in pinned.values() if not re.fullmatch(r"==[^*,]+", str(one.specifier))] == []
    brought = [need for one in pinned.values() for need in needs(one.name, one.extras)]
    assert {need.name for need in brought if canonicalize_name(need.name) not in pinned} == set()
