"""Sends what nobody should to every address, form and parameter of the URL map: `python -m tests.proof.fuzz`.

The parameters' names are those that the program asks for: its own look-ups are recorded. An answer of 500, or
of 503 (an error of the database that nobody caught), is a fault. The seed is printed; the same one sends the
same requests.
"""

import argparse
import random
import re
import secrets
import sys
import tempfile
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote_plus
from uuid import uuid4

from flask import Flask, Request, got_request_exception
from sqlalchemy import text
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.routing import Rule
from werkzeug.wrappers import Response

from flask_app.models.database import PROJECT
from tests.proof.mariadb import Database
from tests.proof.phones import logged_in
from tests.proof.shop import make_shop
from tests.servers import new_database

PEOPLE, ADMIN, WORKER, STRANGER = 12, 1, 2, 0
GUARDED = 0.3  # share that comes over https and needs a form's token; the others get further
REFRESH = 150  # requests after which the two people are put right again: the fuzz locks them out
NOT_CONNECTED = ("sync.process", "sync_decisions.confirm")  # without a Dataverse these answer 503
ODD = (
    "", " ", "0", "-1", "1", "2", "7", "40", "00012", "1.5", "1e309", "NaN", "-0", "٣", "²", "1_000", "0x10",
    "2147483648", "9223372036854775808", "9" * 400, "12:30", "25:61", "24:00", "02:30", "7 am", "23:59:59",
    "2026-11-25", "2026-02-30", "2026-11-01", "2026-03-08", "0000-00-00", "0001-01-01", "9999-12-31",
    "10000-01-01", "-2026-01-01", "2026-W05", "2026-11-01T01:30", "2026-11-25T07:02", "9999-12-31T23:59",
    "0001-01-01T00:00", "2026Q4", "2026-4", "today", "last_week", "on", "true", "null", "None", "undefined",
    "'", '"', "'; DROP TABLE shifts; --", "1 OR 1=1", "%", "%s%n", "%(name)s", "{{7*7}}", "${7*7}", "_", "\\",
    "<script>alert(1)</script>", "../../etc/passwd", "//evil.example", "https://evil.example/", "/dashboard",
    "a\r\nX-Injected: 1", "\x00", "a\x00b", "\x1b[2J", "\u202egnp.exe", "\u200b", "\ud7ff", "\ufffe",
    "🪵" * 60, "é" * 300, "x" * 5000, "ADMINISTRATIVE", "CUT_SHOP", "csv", "xlsx", "en", "es", "approved",
    "a@b.example", "A" * 250 + "@b.example", "ana@bücher.example", "=1+1", "@SUM(A1)", "=cmd|' /C calc'!A0",
)  # fmt: skip
RAW = (b"%ed%a0%80", b"%ff%fe", b"%c0%af", b"%", b"%zz", b"%00")  # no UTF-8, no escape at all
HEADERS: Sequence[dict[str, str]] = (
    {}, {}, {}, {}, {"Accept": "application/json"}, {"Accept": "text/html;q=x"}, {"Accept-Language": "es"},
    {"Accept-Language": "x" * 3000}, {"X-Request-Id": "é" * 200}, {"Cookie": "island_time=%%%"},
    {"X-Forwarded-For": "' OR 1"}, {"Referer": "http://[::1"}, {"Accept-Encoding": "gzip;q=x, br"},
    {"Referer": "https://h:99999999/"}, {"Origin": "https://[", "Host": "[::1"}, {"Host": "a b"},
    {"If-Modified-Since": "yesterday"}, {"Range": "bytes=9-1"}, {"Authorization": "Bearer é"},
    {"Content-Type": "application/json"}, {"Content-Type": "multipart/form-data"},
    {"Content-Type": "application/x-www-form-urlencoded; charset=utf-7"}, {"If-None-Match": '"'},
)  # fmt: skip

_asked: set[str] = set()  # the names that the request at hand has asked for


class Recorded(ImmutableMultiDict[str, str]):
    """A request's parameters, which remember what they were asked for."""

    def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        _asked.add(key)
        return super().get(key, *args, **kwargs)

    def getlist(self, key: str, *args: Any, **kwargs: Any) -> Any:
        _asked.add(key)
        return super().getlist(key, *args, **kwargs)

    def __getitem__(self, key: str) -> Any:
        _asked.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        _asked.add(str(key))
        return super().__contains__(key)


class RecordedRequest(Request):
    parameter_storage_class = Recorded


@dataclass
class Findings:
    """What came back: how often each status, and each fault once, by where it was raised."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    raised: list[BaseException] = field(default_factory=list)
    names: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def note(self, rule: Rule, how: dict[str, Any], answer: Response) -> None:
        self.statuses[answer.status_code] += 1
        is_off = answer.status_code == 503 and rule.endpoint in NOT_CONNECTED
        if answer.status_code < 500 or is_off:
            return
        where = _where(self.raised[-1].__traceback__) if self.raised else "nothing was raised"
        why = repr(self.raised[-1])[:300] if self.raised else ""
        asked = {name: str(value)[:200] for name, value in how.items() if name != "headers"}
        self.faults.setdefault(f"{rule.rule} {where}", f"{answer.status_code} {asked}\n    {where}: {why}")


def _where(trace: TracebackType | None) -> str:
    frames = [frame for frame in traceback.extract_tb(trace) if str(PROJECT / "flask_app") in frame.filename]
    return (
        f"{Path(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].name}" if frames else "elsewhere"
    )


class Fuzz:
    """One shop, and everything that is thrown at it."""

    def __init__(self, app: Flask, seed: int) -> None:
        self.findings, self._app = Findings(), app
        self._dice = random.Random(seed)  # noqa: S311  # not a secret
        self._client = app.test_client(use_cookies=False)
        self._values = _valid_values(app)
        rules = sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, sorted(rule.methods)))
        self._targets = [(rule, m) for rule in rules for m in sorted(rule.methods - {"HEAD", "OPTIONS"})]
        app.request_class = RecordedRequest
        app.config.update(PROPAGATE_EXCEPTIONS=False)
        app.testing = False
        app.logger.disabled = True
        got_request_exception.connect(self._remember, app)

    @property
    def addresses(self) -> int:
        """Return how many addresses there are, each method counted."""
        return len(self._targets)

    def _remember(self, _app: Flask, exception: BaseException) -> None:
        self.findings.raised.append(exception)

    def run(self, requests: int) -> Findings:
        """Send that many requests, to each address in turn."""
        for number in range(requests):
            if number % REFRESH == 0:
                self._put_people_right()
            self._send(*self._targets[number % len(self._targets)])
        got_request_exception.disconnect(self._remember, self._app)
        return self.findings

    def _put_people_right(self) -> None:
        restore = (
            "UPDATE users SET deleted_date = NULL, approved_at = created_at, must_change_password = 0, "
            "department = CASE WHEN id = 1 THEN 'ADMINISTRATIVE' ELSE 'CUT_SHOP' END WHERE id < 3"
        )
        with self._app.extensions["engine"].begin() as connection:
            connection.execute(text(restore))
        with self._app.app_context():
            self._people = {who: logged_in(self._app, who) for who in (ADMIN, WORKER)}

    def _send(self, rule: Rule, method: str) -> None:
        how: dict[str, Any] = {"path": self._address(rule), "method": method, "headers": self._headers()}
        known = sorted(self.findings.names[rule.endpoint])
        pairs = list(self._pairs(known))
        if method == "POST":
            how["data"], how["content_type"] = self._body(pairs)
            how["query_string"] = self._encoded(list(self._pairs(known))) if self._dice.random() < 0.2 else ""
        else:
            how["query_string"] = self._encoded(pairs)
        is_guarded = self._dice.random() < GUARDED
        self._app.config["WTF_CSRF_ENABLED"] = is_guarded
        how["base_url"] = "https://localhost" if is_guarded else "http://localhost"
        _asked.clear()
        self.findings.raised.clear()
        with self._client.open(**how) as answer:
            self.findings.note(rule, how, answer)
        self.findings.names[rule.endpoint] |= {name for name in _asked if len(name) < 60}

    def _headers(self) -> dict[str, str]:
        who = self._dice.choices((ADMIN, WORKER, STRANGER), (7, 2, 1))[0]
        cookie, token = self._people[who] if who else ("", "")
        ours = {"Cookie": f"island_time={cookie}", "X-CSRFToken": token, "Referer": "https://localhost/"}
        return {**ours, **{k: v.encode().decode("latin-1") for k, v in self._dice.choice(HEADERS).items()}}

    def _address(self, rule: Rule) -> str:
        """Fill an address: mostly with rows that are there, else with numbers that are none."""
        odd = ("0", "99999999", "2147483648", "9" * 30, "-1", "x", "%00", "%ff", "..%2f..", "é")

        def value(found: re.Match[str]) -> str:
            fits = self._dice.random() < 0.85
            return self._dice.choice(self._values.get(found[1], ["csv"]) if fits else odd)

        return re.sub(r"<(?:\w+:)?(\w+)>", value, rule.rule)

    def _pairs(self, names: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield parameters: most names once with what fits them, a few with what does not."""
        oddness = self._dice.choice((0.1, 0.3, 1.0))
        for name in names:
            if self._dice.random() < 0.15:
                continue
            for _ in range(self._dice.choices((1, 2, 40), (90, 9, 1))[0]):
                fits = name in self._values and self._dice.random() > oddness
                yield name, self._dice.choice(self._values[name]) if fits else self._dice.choice(ODD)
        if self._dice.random() < 0.05:
            yield self._dice.choice(ODD), self._dice.choice(ODD)

    def _body(self, pairs: list[tuple[str, str]]) -> tuple[bytes, str]:
        kind = self._dice.random()
        if kind < 0.02:
            return b"{" * 1000, "application/json"
        if kind < 0.04:
            return b"x=" + b"y" * 70_000, "application/x-www-form-urlencoded"
        if kind < 0.08:
            return self._multipart(pairs), "multipart/form-data; boundary=b"
        return self._encoded(pairs).encode("latin-1"), "application/x-www-form-urlencoded"

    def _multipart(self, pairs: list[tuple[str, str]]) -> bytes:
        """Each value as a file, half of the time: a form field may come as anything."""
        head = '--b\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n{}\r\n'
        clean = [(name.replace('"', ""), value) for name, value in pairs]
        files = ("", '; filename="a\x00.csv"', '; filename="../../x"')
        parts = [head.format(name, self._dice.choice(files), value) for name, value in clean]
        return ("".join(parts) + "--b--\r\n").encode("utf-8", "replace")

    def _encoded(self, pairs: list[tuple[str, str]]) -> str:
        raw = [f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs]
        if raw and self._dice.random() < 0.05:
            raw.append(raw[0].partition("=")[0] + "=" + self._dice.choice(RAW).decode())
        return "&".join(raw)


def _valid_values(app: Flask) -> dict[str, list[str]]:
    """Return values that fit, by the names under which addresses and forms ask for them."""
    with app.extensions["engine"].connect() as connection:
        jobs = [str(n) for n in connection.scalars(text("SELECT id FROM jobs ORDER BY id LIMIT 8"))]
        numbers = list(connection.scalars(text("SELECT im_number FROM jobs ORDER BY id LIMIT 8")))
        shifts = [str(n) for n in connection.scalars(text("SELECT id FROM shifts ORDER BY id LIMIT 40"))]
    people = [str(n) for n in range(1, PEOPLE + 1)]
    days, times = ["2026-11-23", "2026-11-24", "2026-12-01"], ["07:00", "11:30", "15:30"]
    small = [str(n) for n in range(1, 6)]
    values = {
        "job_id": jobs, "job": [*jobs, *numbers], "shift_id": shifts, "shift": shifts, "user_id": people,
        "user": people, "people": people, "person": people, "who": people, "filename": ["app.css", "js/x"],
        "preset": ["last_week", "this_month"], "rest": ["csv", "2026/4"], "note": ["Sanding"],
        "reason": ["Forgot to punch out"], "day": days, "from": days, "to": days, "start": days, "end": days,
        "start_date": days, "end_date": days, "start_time": times, "end_time": times, "time": times,
        "at": times, "q": ["desk", "4001"], "email": ["p3@bench.example"], "im_number": [*numbers, "9000"],
        "department": ["CUT_SHOP", "PAINT_SHOP"], "page": small, "format": ["csv", "xlsx"],
        "first_name": ["Ana"], "last_name": ["Duarte"], "general_contractor": ["Gilbane"],
        "job_scope": ["Desk"], "hours": ["40"], "punch_key": [str(uuid4())], "key": [str(uuid4())],
        "kind": ["time", "add", "delete"],
        "password": ["dusty-hands-650"], "new_password": ["dusty-hands-651"],
    }  # fmt: skip
    return values | {f"{part}_id": small for part in ("correction", "run", "hold", "row")}


def tell(findings: Findings, engine: str) -> None:
    total = sum(findings.statuses.values())
    names = sum(len(names) for names in findings.names.values())
    told = ", ".join(f"{status}: {n}" for status, n in sorted(findings.statuses.items()))
    print(f"{engine}: {total} requests, {len(findings.names)} endpoints, {names} parameters ({told})")
    for where, how in findings.faults.items():
        print(f"  FAULT {where}\n    {how}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="on each engine")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--engine", choices=("sqlite", "mariadb", "both"), default="both")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    faults = 0
    with tempfile.TemporaryDirectory() as name:
        if options.engine != "mariadb":
            faults += _fuzzed(f"sqlite:///{name}/shop.db", "SQLite", options)
        if options.engine != "sqlite":
            with Database(Path(name) / "database") as database:
                faults += _fuzzed(new_database(database.url, "fuzz"), "MariaDB", options)
    sys.exit(1 if faults else 0)


def _fuzzed(url: str, engine: str, options: argparse.Namespace) -> int:
    app = make_shop(url, people=PEOPLE, jobs=40, shifts=400)
    findings = Fuzz(app, options.seed).run(options.requests)
    app.extensions["engine"].dispose()
    tell(findings, engine)
    return len(findings.faults)


if __name__ == "__main__":
    main()
