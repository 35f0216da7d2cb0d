"""The documents for developers speak of what there is."""

import re

import pytest

from flask_app.models.database import PROJECT
from tests.test_architecture import RANKS

DOCUMENTS = ("docs/architecture.md", "CONTRIBUTING.md")
PLACES = ("", "flask_app/")  # `models/database.py` is short for flask_app/models/database.py


def words(document: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", (PROJECT / document).read_text())


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_in_it_is_there(document):
    paths = [word for word in words(document) if re.fullmatch(r"[\w.-]+/[\w./-]*", word)]
    assert paths
    assert [path for path in paths if not any((PROJECT / place / path).exists() for place in PLACES)] == []


def test_every_room_stands_in_the_architecture():
    rooms = {word.removesuffix("/").removesuffix("/__init__.py") for word in words(DOCUMENTS[0])}
    paths = (name.replace(".", "/") for name in RANKS)
    assert [path for path in paths if not {path, f"{path}.py"} & rooms] == []


def test_the_readme_names_the_commands_of_the_makefile():
    targets = re.findall(r"^(\w+):.*##", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    readme = (PROJECT / "README.md").read_text() + (PROJECT / "CONTRIBUTING.md").read_text()
    assert {"run", "test", "check", "fmt", "help"} <= set(targets)
    assert [target for target in ("run", "test", "check", "fmt") if f"make {target}" not in readme] == []


def test_every_test_that_the_security_table_names_is_there():
    text = (PROJECT / "docs/security.md").read_text()
    files = [path.read_text() for path in (PROJECT / "tests").rglob("test_*.py")]
    known = {name for file in files for name in re.findall(r"^def (test_\w+)", file, re.MULTILINE)}
    named = set(re.findall(r"`(test_\w+)`", text))
    assert len(named) > 30
    assert named - known == set()
    assert [path for path in re.findall(r"`(tests/[\w/]+\.py)`", text) if not (PROJECT / path).exists()] == []
