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


# What is stored and told later: "noted" in these rooms; Dataverse's own names and queries are no sentences.
NOTING = sorted(
    [*(PROJECT / "flask_app" / "sync").glob("*.py"), *(PROJECT / "flask_app" / "dataverse").glob("*.py")]
)
# Told to an operator at a terminal, or to another program; a fault of the program itself.
UNTOLD = {"webhook_command.py", "registration.py", "hooks.py"}
IN_CATALOG = {*KEYWORDS, "info", "exception", "retold"}


@pytest.mark.parametrize("path", [p for p in NOTING if p.name not in UNTOLD], ids=lambda path: path.stem)
def test_what_a_sync_tells_can_be_told_again_in_another_language(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            child.parent = node  # type: ignore[attr-defined]

    def stands_in_catalog(node: ast.AST) -> bool:
        while node := getattr(node, "parent", None):
            if isinstance(node, ast.Expr) or (isinstance(node, ast.Call) and name_of(node) in IN_CATALOG):
                return True
        return False

    def is_sentence(text: str) -> bool:
        return text.endswith(".") and len(text.split()) > 2

    stray = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr)
        and is_sentence(ast.unparse(node).strip("f\"'"))
        and not stands_in_catalog(node)
    ]
    assert stray == []


SAID = [
    (
        "3 new jobs came in. 1 job changed in Dataverse. "
        "Dataverse says that 13 of 60 jobs are not approved any more. An admin has to look at it.",
        "Llegaron 3 trabajos nuevos. 1 trabajo cambió en Dataverse. "
        "Dataverse dice que 13 de 60 trabajos ya no están aprobados. Un administrador tiene que revisarlo.",
    ),
    (
        "org.crm.dynamics.com is out of order for the moment (HTTP 503). The server said this.",
        "org.crm.dynamics.com no funciona por el momento (HTTP 503). The server said this.",
    ),
    (
        "SharePoint's folders could not be read: org.crm.dynamics.com was silent for 30 seconds.",
        "No se pudieron leer las carpetas de SharePoint: org.crm.dynamics.com no respondió en 30 segundos.",
    ),
    (
        "Hours written: 3. Right already: 1. org.crm.dynamics.com was silent for 30 seconds.",
        "Horas escritas: 3. Ya estaban bien: 1. org.crm.dynamics.com no respondió en 30 segundos.",
    ),
    (
        "Job 4512 has the number 45 in Dataverse. Let it follow, and this row comes in.",
        "El trabajo 4512 tiene el número 45 en Dataverse. Hágalo seguir, y esta fila entra.",
    ),
    (
        "Dataverse's table imi_job has no column imi_imnumber. "
        "It says the job's IM number: without it there can be no sync.",
        "La tabla imi_job de Dataverse no tiene la columna imi_imnumber. "
        "Dice el número IM del trabajo: sin ella no puede haber sincronización.",
    ),
]


@pytest.mark.parametrize(("said", "told"), SAID)
def test_sentences_in_a_row_are_told_again_each_by_itself(said: str, told: str) -> None:
    with words.speaking("es"):
        assert words.retold(said) == told


def test_an_email_is_called_by_one_word_everywhere() -> None:
    assert [one for one in sentences() if "e-mail" in " ".join(one).lower()] == []


def test_every_label_of_a_form_is_told_in_the_language_of_who_reads_it() -> None:
    """A field's first argument is its label: `lazy`, never a plain text."""
    fields = {
        "Text",
        "Choice",
        "Tick",
        "Day",
        "TimeOfDay",
        "Whole",
        "Hours",
        "Moment",
        "JobNumber",
        "Person",
        "Reason",
    }
    plain = [
        f"{path.name}:{node.lineno}"
        for path in (PROJECT / "flask_app" / "web").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in fields
        if node.args and isinstance(node.args[0], ast.Constant)
    ]
    assert plain == []
