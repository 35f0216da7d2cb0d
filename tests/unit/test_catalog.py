"""Every sentence that a person reads goes through the catalog, and every one of it has its Spanish."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from jinja2 import Environment

from flask_app import words
from flask_app.models.database import PROJECT

TEMPLATES = sorted((PROJECT / "flask_app" / "templates").rglob("*.html"))
SOURCES = sorted(p for p in (PROJECT / "flask_app").rglob("*.py") if "standin" not in p.parts)
KEYWORDS = {"_": None, "lazy": None, "noted": None, "ngettext": (1, 2), "noted_number": (1, 2)}
SHOWN_ATTRIBUTES = re.compile(r'\b(?:placeholder|title|aria-label|alt)="([^"]*)"')
# A block of one word names a class, as {% block shape %}narrow{% endblock %}; "-hint" ends an id.
SHAPES = re.compile(r"\{% block \w+ %\}[a-z-]+\{% endblock %\}|(?<=\}\})-(?:hint|problem)")
# The product's own name; what names a class or a place.
NAMES = ("Island Time", "– Island Time", "Island Time –", "landscape", "wall", "#shifts")
# Who calls these tells a person something. Configuration, Dataverse and the commands speak to operators.
TELLERS = {"flash", "RuleViolation", "PunchRefused", "Column", "Busy", "ValidationError"}
OPERATORS = ("adopt", "config", "dataverse", "migrations", "upkeep", "cli.py", "demo.py")


def literals(path: Path) -> Iterator[str]:
    """Yield the words of a template that stand outside of its expressions."""
    source = SHAPES.sub("", path.read_text())
    text = "".join(
        value if kind == "data" else "\0" if kind in ("variable_begin", "block_begin") else ""
        for _line, kind, value in Environment(autoescape=True).lex(source)
    )
    yield from SHOWN_ATTRIBUTES.findall(text)
    yield from re.split(r"[\n\0]", re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", "\n", text, flags=re.S))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(PROJECT / "flask_app")))
def test_no_word_of_a_template_stands_outside_of_the_catalog(path: Path) -> None:
    stray = [piece.strip() for piece in literals(path)]

    assert [
        piece
        for piece in stray
        if re.search(r"[A-Za-z]{2,}", re.sub(r"&\w+;", "", piece)) and piece not in NAMES
    ] == []


def test_nothing_is_told_in_python_that_is_not_in_the_catalog() -> None:
    stray = [
        f"{path.relative_to(PROJECT)}:{call.lineno} {ast.unparse(told)}"
        for path in SOURCES
        if not set(OPERATORS) & set(path.relative_to(PROJECT).parts)
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and name_of(call) in TELLERS
        for told in call.args[:1]
        if isinstance(told, ast.Constant) and isinstance(told.value, str)
    ]

    assert stray == []


def name_of(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def sentences() -> set[tuple[str, ...]]:
    """Return every sentence of the sources, a plural with its singular."""
    method_map = [("standin/**", "ignore"), ("**.py", "python"), ("templates/**.html", "jinja2")]
    found = extract_from_dir(PROJECT / "flask_app", method_map, keywords=KEYWORDS)
    return {
        (one,) if isinstance(one, str) else tuple(one[:2]) for _file, _line, one, _comments, _context in found
    }


@pytest.mark.parametrize("code", [code for code in words.LANGUAGES if code != words.ENGLISH])
def test_every_sentence_has_its_translation(code: str) -> None:
    """`make messages` brings the catalog up to date with the sources; then the new ones are translated."""
    catalog = {
        (one.id,) if isinstance(one.id, str) else tuple(one.id): one for one in words._read(code) if one.id
    }
    untold = [
        key
        for key, one in catalog.items()
        if not all([one.string] if isinstance(one.string, str) else one.string)
    ]

    assert sorted(sentences() - catalog.keys()) == []
    assert untold == []


@pytest.mark.parametrize("code", [code for code in words.LANGUAGES if code != words.ENGLISH])
def test_a_plural_has_the_placeholders_of_its_sentence(code: str) -> None:
    place = words._PLACE
    for one in words._read(code):
        if isinstance(one.id, tuple | list):
            wanted = {*place.findall(one.id[0]), *place.findall(one.id[1])}
            assert set(place.findall(one.string[1])) == set(place.findall(one.id[1])), one.id
            assert set(place.findall(one.string[0])) <= wanted, one.id
