"""The directions of the house: who may import whom, and who may ask for the time."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
STANDIN = "flask_app.standin"  # a product of its own, with its own clock
STARTERS = {"flask_app.demo"}  # the demo starts the stand-in
RANKS = {  # the longest beginning that fits a module's name decides; one name here is one room
    "server": 9,
    "flask_app": 8,
    "flask_app.controllers": 7,
    "flask_app.utils": 7,
    "flask_app.web": 6,
    "flask_app.upkeep": 6,
    "flask_app.sync": 5,
    "flask_app.adopt": 5,
    "flask_app.timeclock": 4,
    "flask_app.reporting": 4,
    "flask_app.migrations": 4,
    "flask_app.models": 3,
    "flask_app.dataverse": 2,
    "flask_app.clock": 1,
    "flask_app.formats": 1,
    "flask_app.im_number": 1,
    "flask_app.config": 1,
    "flask_app.words": 0,
}
ONE_ROOM = ({"flask_app.controllers", "flask_app.utils"},)  # a login starts a sync
STRANGERS = ({"flask_app.models", "flask_app.dataverse"},)
NO_REQUEST = ("flask_app.models", "flask_app.timeclock", "flask_app.reporting", "flask_app.sync")
CLOCK_EDGES = {  # who may ask flask_app.clock what time it is; everybody else is told
    "flask_app.adopt.command",
    "flask_app.cli",
    "flask_app.dataverse.answers",  # how long Dataverse wants to be left alone
    "flask_app.demo",
    "flask_app.sync.approved_jobs",
    "flask_app.sync.hours_out",
    "flask_app.sync.running",
    "flask_app.upkeep.commands",
    "flask_app.utils.scheduler_tasks",
    "flask_app.web.now",
}
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


def target_room(target: str) -> str:
    return room(target if target in PATHS else target.rpartition(".")[0])


def may_import(name: str, target: str) -> bool:
    pair = {room(name), target_room(target)}
    if pair in STRANGERS:
        return False
    return len(pair) == 1 or RANKS[target_room(target)] < RANKS[room(name)] or pair in ONE_ROOM


def test_a_module_imports_lower_ranks_or_its_own_room():
    assert [pair for pair in own_imports() if not may_import(*pair)] == []


def test_only_its_starter_knows_the_stand_in():
    knowing = {name for name, target in own_imports() if target.startswith(STANDIN)}
    assert knowing == STARTERS


def test_the_stand_in_imports_nothing_of_the_program():
    """What is written from the same guess as the client would never show that the guess is wrong."""
    parts = [path for name, path in PATHS.items() if name.startswith(STANDIN)]
    nodes = [node for path in parts for node in ast.walk(ast.parse(path.read_text()))]
    absolute = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0]
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    assert len(parts) > 20
    assert [name for name in [*absolute, *plain] if name.startswith(("flask_app", "tests"))] == []
    assert max(node.level for node in nodes if isinstance(node, ast.ImportFrom)) == 1


def test_only_the_clock_tells_the_time():
    asking = {
        (name, ast.unparse(node))
        for name in TREES.keys() - {"flask_app.clock"}
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Attribute) and ast.unparse(node).endswith(TELLERS)
    }
    taking = {
        (name, target)
        for name in TREES.keys() - {"flask_app.clock"}
        for target in imports(name)
        if target.startswith("time.") and target.endswith(TELLERS)
    }
    assert asking | taking == set()


def test_a_request_asks_for_the_time_once_at_its_edge():
    """So do the timed tasks, the sync, the operator's commands and the demo, each at its own edge."""
    asking = {name for name in TREES for target in imports(name) if target == "flask_app.clock.utc_now"}
    assert asking == CLOCK_EDGES
    assert [name for name in TREES for target in imports(name) if target == "flask_app.clock"] == []


def modules_imported(name: str) -> set[str]:
    found = (t if t in PATHS else t.rpartition(".")[0] for t in imports(name))
    return {module for module in found if module in TREES and module != name}


def test_no_module_imports_itself_through_others():
    """Packages are left out: importing a part of one runs its __init__, which is not what a circle means."""
    graph = {name: modules_imported(name) for name in TREES if PATHS[name].name != "__init__.py"}
    TopologicalSorter(graph).prepare()


def test_the_inner_rooms_see_no_request():
    banned = ("flask.request", "flask.session", "flask.flash", "flask.abort")
    inner = [name for name in TREES if room(name) in NO_REQUEST]
    assert [(name, t) for name in inner for t in imports(name) if t.startswith(banned)] == []


def test_models_know_no_settings():
    models = [name for name in TREES if room(name) == "flask_app.models"]
    assert [(name, t) for name in models for t in imports(name) if t.startswith("flask_app.config")] == []


def test_controllers_hold_no_sql_and_no_http_client():
    controllers = [name for name in TREES if room(name) == "flask_app.controllers"]
    banned = ("requests", "msal", "urllib3", "sqlalchemy", "flask_app.dataverse")
    used = [(name, t) for name in controllers for t in imports(name) if t.startswith(banned)]
    assert [(name, target) for name, target in used if not target.startswith("sqlalchemy.exc")] == []


def test_nothing_speaks_of_smartsheet():
    assert [name for name, path in PATHS.items() if "smartsheet" in path.read_text().lower()] == []


LEDGER = {f"flask_app.timeclock.{part}" for part in ("edits", "shift_rows")}


def writes_shifts(node: ast.AST) -> bool:
    """Whether it makes a shift, or sets what a shift alone has."""
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in ("Shift", "_shifts.insert", "_shifts.update", "set_committed_value")
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [part for t in targets for part in (t.elts if isinstance(t, ast.Tuple) else [t])]
    return any(isinstance(t, ast.Attribute) and t.attr in ("assumed_at", "edited_at") for t in targets)


def test_only_the_ledger_writes_shifts():
    """Moving an old shop in (flask_app.adopt) is the one other way: it makes shifts."""
    writing = {name for name in TREES for node in ast.walk(TREES[name]) if writes_shifts(node)}
    writing -= {"flask_app.models.database"}  # says what was read, writes nothing
    assert {name for name in writing if not name.startswith("flask_app.adopt")} == LEDGER
