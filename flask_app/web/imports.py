"""People and jobs from a CSV file: what each line would do, and doing it all in one transaction."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from flask import Flask, current_app, request
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.datastructures import MultiDict

from flask_app.im_number import im_key
from flask_app.models import Job, User
from flask_app.models.errors import RuleViolation
from flask_app.models.names import folded
from flask_app.models.user import DEPARTMENTS, Hashed, hash_passwords, normal_email, problems_of
from flask_app.timeclock import people
from flask_app.web.csv_table import read_table
from flask_app.web.forms import Form
from flask_app.web.job_form import STATUSES, JobForm, NewJobForm
from flask_app.web.person_forms import NewPersonForm
from flask_app.words import Words, _, lazy

NEW, UNCHANGED, CONFLICT, WRONG = "new", "unchanged", "conflict", "wrong"
STATES = (WRONG, NEW, CONFLICT, UNCHANGED)
UPLOADS = 300 * 1024  # bytes of a request that brings a file or what was read from it
KEPT_FOR = 3600  # seconds between the preview and the import


@dataclass(frozen=True, slots=True)
class Line:
    """What one line of a file would do. `reason`: why it can't, or how what is there differs."""

    number: int
    name: str
    state: str
    reason: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


class Import(ABC):
    """One kind of thing that comes by CSV."""

    code: ClassVar[str]
    title: ClassVar[Words]
    columns: ClassVar[Mapping[str, Words]]
    needed: ClassVar[Sequence[str]]
    example: ClassVar[Sequence[Sequence[str]]]
    most: ClassVar[int]

    def lines(self, text: str) -> tuple[list[Line], Sequence[str]]:
        """Return what each line would do, and the columns that are not read. Raises NoTable."""
        table = read_table(text, self.columns, self.needed, most=self.most)
        there, seen = self.there(), dict[str, int]()
        found = []
        for number, texts in table.lines:
            line = self._line(number, texts, there)
            key = self.key(line.values)
            if line.state != WRONG and key in seen:
                reason = _("The same as line %(line)s.", line=seen[key])
                line = Line(number, line.name, WRONG, reason)
            seen.setdefault(key, number)
            found.append(line)
        return found, table.strange

    def _line(self, number: int, texts: Mapping[str, str], there: Mapping[str, Any]) -> Line:
        form = self.form(texts)
        taken = form.validate()
        name = self.name(texts)
        if not taken:
            return Line(number, name, WRONG, " ".join(form.problems.values()) or form.says, {})
        values = form.values
        state, reason = self.compared(values, there)
        return Line(number, name, state, reason, values)

    def differs(self, thing: Any, values: Mapping[str, Any], *, but: Sequence[str]) -> tuple[str, str]:
        """Say whether what is there has what a line says; what the line leaves empty doesn't count."""
        said = {code: value for code, value in values.items() if code not in but and value not in ("", None)}
        others = [str(self.columns[code]) for code, value in said.items() if getattr(thing, code) != value]
        if not others:
            return UNCHANGED, ""
        return CONFLICT, _("Here already, with another %(fields)s. Left as it is.", fields=", ".join(others))

    @abstractmethod
    def there(self) -> Mapping[str, Any]:
        """What is there already, by what tells it from others."""

    @abstractmethod
    def form(self, texts: Mapping[str, str]) -> Form:
        """The form that somebody would type a line into."""

    @abstractmethod
    def name(self, texts: Mapping[str, str]) -> str:
        """What a line is about, in words."""

    @abstractmethod
    def key(self, values: Mapping[str, Any]) -> str:
        """What may stand in a file only once."""

    @abstractmethod
    def compared(self, values: Mapping[str, Any], there: Mapping[str, Any]) -> tuple[str, str]:
        """Return the state of a line that can be read, and why it is no new one."""


class ImportedPersonForm(NewPersonForm):
    password = None  # type: ignore[assignment]  # each gets a one-time password

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, Words]:
        return dict(problems_of(values))


class PeopleImport(Import):
    code, title = "people", lazy("Import people")
    columns: ClassVar[Mapping[str, Words]] = {
        "first_name": lazy("First name"),
        "last_name": lazy("Last name"),
        "email": lazy("Email"),
        "department": lazy("Department"),
        "employee_number": lazy("Employee number"),
    }
    needed = ("first_name", "email", "department")
    example = (("Ana", "Duarte", "ana@example.com", "CUT_SHOP", "1042"),)
    most = 200  # a hash for each takes a quarter of a second

    def there(self) -> Mapping[str, Any]:
        everybody = User.everybody()
        numbers = {f"#{one.employee_number}": one for one in everybody if one.employee_number}
        return {**{one.email: one for one in everybody}, **numbers}

    def form(self, texts: Mapping[str, str]) -> Form:
        spelled = folded(texts.get("department", "")).replace("_", " ")
        return ImportedPersonForm(MultiDict({**texts, "department": _departments().get(spelled, spelled)}))

    def name(self, texts: Mapping[str, str]) -> str:
        return f"{texts.get('first_name', '')} {texts.get('last_name', '')}".strip() or texts.get("email", "")

    def key(self, values: Mapping[str, Any]) -> str:
        return normal_email(values.get("email", ""))

    def compared(self, values: Mapping[str, Any], there: Mapping[str, Any]) -> tuple[str, str]:
        person, number = there.get(self.key(values)), values.get("employee_number")
        bearer = there.get(f"#{number}") if number else None
        if bearer is not None and bearer is not person:
            return WRONG, _("%(name)s has this employee number.", name=bearer.name)
        if person is None:
            return NEW, ""
        return self.differs(person, values, but=("email",))


class ImportedJobForm(NewJobForm):
    broken_rules = JobForm.broken_rules  # what is there already is compared, not refused


class JobsImport(Import):
    code, title = "jobs", lazy("Import jobs")
    columns: ClassVar[Mapping[str, Words]] = {
        "im_number": lazy("IM number"),
        "general_contractor": lazy("General contractor"),
        "job_scope": lazy("Scope"),
        "job_name_address": lazy("Job name and address"),
        "estimated_hours": lazy("Estimated hours"),
        "context": lazy("Notes for the shop"),
        "status": lazy("Status"),
    }
    needed = ("im_number", "general_contractor", "job_scope")
    example = (
        ("4512", "Gilbane", "Reception desk", "Pier 4, 12 Harbor St", "40", "", "Active"),
        ("4513", "Skanska", "Wall panels, level 3", "", "", "Field dimensions pending", "Inactive"),
    )
    most = 2000

    def there(self) -> Mapping[str, Any]:
        return Job.by_key()

    def form(self, texts: Mapping[str, str]) -> Form:
        statuses = {folded(str(words)): code for code, words in STATUSES.items()}
        statuses |= {"active": "1", "inactive": "0", "": "1"}
        spelled = folded(texts.get("status", ""))
        return ImportedJobForm(MultiDict({**texts, "status": statuses.get(spelled, spelled)}))

    def name(self, texts: Mapping[str, str]) -> str:
        return texts.get("im_number", "").strip()[:60]

    def key(self, values: Mapping[str, Any]) -> str:
        return im_key(values.get("im_number", ""))

    def compared(self, values: Mapping[str, Any], there: Mapping[str, Any]) -> tuple[str, str]:
        job = there.get(self.key(values))
        if job is None:
            return NEW, ""
        return self.differs(job, values, but=("im_number", "status"))


KINDS: Mapping[str, Import] = {"people": PeopleImport(), "jobs": JobsImport()}


def init_app(app: Flask) -> None:
    """Has to come before whatever reads a form: a file may be larger than other forms."""

    def allow_a_file() -> None:
        if (request.endpoint or "").startswith("imports."):
            request.max_content_length = UPLOADS

    app.before_request(allow_a_file)


def carried(text: str) -> str:
    """Return what a page carries from the preview to the import: the file's text, signed."""
    return str(_serializer().dumps(text))


def read_again(token: str) -> str:
    """Return the text that a preview carried. Raises RuleViolation."""
    try:
        text: str = _serializer().loads(token, max_age=KEPT_FOR)
    except BadData:
        raise RuleViolation(_("This preview is out of date. Choose the file again.")) from None
    return text


def one_time_passwords(lines: Sequence[Line]) -> dict[str, tuple[str, Hashed]]:
    """Return a password for each new person by email, and its hash. Takes a while; no transaction is open."""
    emails = [normal_email(line.values["email"]) for line in lines if line.state == NEW]
    passwords = [people.readable_password() for _email in emails]
    hashed = hash_passwords(passwords)
    return dict(zip(emails, zip(passwords, hashed, strict=True), strict=True))


def save_people(
    lines: Sequence[Line], passwords: Mapping[str, tuple[str, Hashed]], *, by: User, at: datetime
) -> list[User]:
    """Add the new people of a file; the caller commits."""
    added = []
    for line in lines:
        if line.state == NEW:
            known = passwords.get(normal_email(line.values["email"]))
            if known is None:  # another preview's
                raise RuleViolation(_("This preview is out of date. Choose the file again."))
            added.append(people.add_with_one_time_password(line.values, known[1], by=by, at=at))
    return added


def save_jobs(lines: Sequence[Line], *, by: User, at: datetime) -> list[Job]:
    """Add the new jobs of a file; the caller commits."""
    return [Job.create(line.values, by=by, at=at) for line in lines if line.state == NEW]


def _departments() -> dict[str, str]:
    """Departments as people spell them: by code, by code with blanks, by name."""
    spelled = {folded(code).replace("_", " "): code for code in DEPARTMENTS}
    return spelled | {folded(str(name)): code for code, name in DEPARTMENTS.items()}


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="an import that was shown")
