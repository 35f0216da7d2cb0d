"""The directions of the house: who may import whom, and who may ask for the time. See DESIGN."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
STANDIN = "flask_app.dataverse.standin"  # a product of its own, with its own clock
STARTERS = {"flask_app.demo"}  # the demo starts the stand-in
RANKS = {  # the longest beginning that fits a module's name decides; one rank of a name is one room
    "server": 5,
    "flask_app": 4,
    "flask_app.controllers": 3,
    "flask_app.utils.scheduler_tasks": 3,
    "flask_app.dataverse.sync": 2,
    "flask_app.dataverse.plan": 2,
    "flask_app.dataverse.reading": 2,
    "flask_app.dataverse.decision": 2,
    "flask_app.migrations": 2,
    "flask_app.models": 1,
    "flask_app.dataverse": 1,
    "flask_app.utils": 0,
    "flask_app.config": 0,
}
ONE_ROOM = (
    {"flask_app.controllers", "flask_app.utils.scheduler_tasks"},  # a login starts a sync
    {f"flask_app.dataverse.{part}" for part in ("sync", "plan", "reading", "decision")},
)
TELLERS = ("datetime.now", "utcnow", "datetime.today", "date.today", "time.time", "time.time_ns", "monotonic")


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


PATHS = {name_of(path): path for path in (*ROOT.glob("flask_app/**/*.py"), ROOT / "server.py")}
TREES = {name: ast.parse(path.read_text()) for name, path in PATHS.items() if not name.startswith(STANDIN)}


def imports(name: str) -> Iterator[str]:
    """Yield what `name` imports, anywhere in it: a module, or a module's name ("flask.request")."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(name: str) -> str:
    return max((place for place in RANKS if f"{name}.".startswith(f"{place}.")), key=len)


def own_imports() -> Iterator[tuple[str, str]]:
    """Yield each module and each thing of this program that it imports."""
    for name in TREES:
        yield from ((name, t) for t in imports(name) if t.split(".")[0] in ("flask_app", "server"))


def may_import(name: str, target: str) -> bool:
    above, below = room(name), room(target if target in PATHS else target.rpartition(".")[0])
    return RANKS[below] < RANKS[above] or above == below or any({above, below} <= one for one in ONE_ROOM)


def test_a_module_imports_lower_ranks_or_its_own_room():
    assert [pair for pair in own_imports() if not may_import(*pair)] == []


def test_only_its_starter_knows_the_stand_in():
    knowing = {name for name, target in own_imports() if target.startswith(STANDIN)}
    assert knowing == STARTERS


def test_only_the_clock_tells_the_time():
    asking = {
        (name, ast.unparse(node))
        for name in TREES.keys() - {"flask_app.utils.clock"}
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Attribute) and ast.unparse(node).endswith(TELLERS)
    }
    taking = {
        (name, target)
        for name in TREES.keys() - {"flask_app.utils.clock"}
        for target in imports(name)
        if target.startswith("time.") and target.endswith(TELLERS)
    }
    assert asking | taking == set()


def test_models_see_neither_the_request_nor_the_settings():
    banned = ("flask.request", "flask.session", "flask.flash", "flask.abort", "flask_app.config")
    models = [name for name in TREES if room(name) == "flask_app.models"]
    assert [(name, t) for name in models for t in imports(name) if t.startswith(banned)] == []


def test_controllers_hold_no_sql_and_no_http_client():
    controllers = [name for name in TREES if room(name) == "flask_app.controllers"]
    banned = ("requests", "msal", "urllib3", "sqlalchemy", "flask_app.dataverse")
    allowed = ("sqlalchemy.exc", "flask_app.dataverse.sync")
    used = [(name, t) for name in controllers for t in imports(name) if t.startswith(banned)]
    assert [(name, target) for name, target in used if not target.startswith(allowed)] == []


def test_nothing_speaks_of_smartsheet():
    assert [name for name, path in PATHS.items() if "smartsheet" in path.read_text().lower()] == []
