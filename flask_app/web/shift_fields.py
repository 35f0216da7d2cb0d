"""The fields of shifts: a moment of a shop day, a job by its number or by words, a person."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from flask_app.clock import NoSuchTime, comes_twice, instant_of
from flask_app.config import settings
from flask_app.formats import time_of_day
from flask_app.models import Job, User
from flask_app.web import parse
from flask_app.web.fields import Field
from flask_app.web.presenting import clock, day, stamp
from flask_app.words import _

FIRST, SECOND = "first", "second"


class Moment(Field):
    """A day and a time of day in the shop's zone; where that time comes twice, also which of the two.

    The inputs are `<name>_day`, `<name>_time` and, only then, `<name>_which`.
    """

    kind = "moment"
    day = at = which = ""  # the texts of its inputs

    def process(self, formdata: Any, data: Any = None, extra_filters: Any = None) -> None:
        super().process(None, data)
        self._draw(self.data)
        if formdata is None or f"{self.name}_day" not in formdata:
            return
        self.day, self.at, self.which = (
            formdata.get(f"{self.name}_{part}", "").strip() for part in ("day", "time", "which")
        )
        self.raw_data, self.data = [self._typed()], None
        try:
            self.data = self._read()
        except ValueError as problem:
            self.process_errors.append(str(problem))

    def show(self, value: Any) -> None:
        self._draw(value)
        super().show(value)

    def show_day(self, day: date) -> None:
        """Propose a day, without a time."""
        self.day = day.isoformat()

    def write(self, value: Any) -> str:
        if value is None:
            return ""
        local = _local(value)
        return f"{local:%Y-%m-%d %H:%M}{' 2' if _is_second(local) else ''}"

    def words(self, value: Any) -> str:
        return stamp(value) if value else "nothing"

    def words_of_text(self, text: str) -> str:
        return self.words(self.data)

    @property
    def twice(self) -> Mapping[str, str]:
        """What to choose from if this time comes twice: "1:20 AM EDT (first)"; else nothing."""
        try:
            on, at, zone = parse.shop_day(self.day), parse.time_of_day(self.at), settings().shop_timezone
        except ValueError:
            return {}
        if not comes_twice(on, at, zone):
            return {}
        instants = {which: instant_of(on, at, zone, second=which == SECOND) for which in (FIRST, SECOND)}
        return {which: f"{clock(one)} {_local(one):%Z} ({which})" for which, one in instants.items()}

    def _draw(self, value: datetime | None) -> None:
        if value is None:
            self.day = self.at = self.which = ""
        else:
            local = _local(value)
            self.day, self.at = local.date().isoformat(), f"{local:%H:%M}"
            self.which = SECOND if _is_second(local) else FIRST

    def _typed(self) -> str:
        text = f"{self.day} {self.at[:5]}"
        return f"{text} 2" if self.which == SECOND and self.twice else text

    def _read(self) -> datetime | None:
        if not self.day and not self.at:
            if self.missing:
                raise ValueError(self.missing)
            return None
        on, at = parse.shop_day(self.day), parse.time_of_day(self.at)
        if self.twice and self.which not in (FIRST, SECOND):
            raise ValueError(_("This time comes twice that night. Choose which one."))
        try:
            return instant_of(on, at, settings().shop_timezone, second=self.which == SECOND)
        except NoSuchTime:
            raise ValueError(_skipped(on, at)) from None


class JobNumber(Field):
    """A job by its IM number. Words are looked up instead, and what is found is offered to choose from.

    The choice of one that was found comes as `<name>_pick`, and `find` asks only to look.
    """

    kind = "job"
    matches: Sequence[Job] = ()
    has_looked = False

    def process(self, formdata: Any, *arguments: Any, **more: Any) -> None:
        super().process(formdata, *arguments, **more)
        if formdata is not None and formdata.get("find") == self.name:
            self.look_up()

    def post_process(self, formdata: Any = None) -> None:
        super().post_process(formdata)
        if formdata is not None and (pick := formdata.get(f"{self.name}_pick")):
            self.raw_data, self.process_errors, self.matches = [pick], [], ()
            try:
                self.process_formdata([pick])
            except ValueError as problem:
                self.process_errors.append(str(problem))

    def read(self, text: str) -> Job:
        if job := Job.numbered(text):
            return job
        self.look_up()
        if self.matches:
            raise ValueError(_("Not an IM number. Choose one of these jobs, or type its number."))
        raise ValueError(
            _("There is no job %(job)s.", job=text) if len(text) < 50 else _("There is no such job.")
        )

    def look_up(self) -> None:
        """Find the jobs that have the words which were typed."""
        self.has_looked = bool(self.text.strip())
        self.matches = Job.suggestions(self.text) if self.has_looked else ()

    def write(self, value: Any) -> str:
        return value.im_number if value else ""


class Person(Field):
    """A person, out of those who are active."""

    def read(self, text: str) -> User:
        if person := User.numbered(text):
            return person
        raise ValueError(_("There is no such person."))

    def write(self, value: Any) -> str:
        return str(value.id) if value else ""

    @property
    def choices(self) -> Mapping[str, str]:
        """Who can be chosen, and whoever is chosen already."""
        return {
            str(person.id): f"{person.name} · {person.department_name}"
            for person in User.everybody()
            if person.is_active or str(person.id) == self.text
        }


def _local(instant: datetime) -> datetime:
    return instant.astimezone(settings().shop_timezone)


def _is_second(local: datetime) -> bool:
    return bool(local.fold) and comes_twice(local.date(), local.time(), settings().shop_timezone)


def _skipped(on: date, at: time) -> str:
    return _(
        "On %(day)s the clocks went forward: there was no %(time)s.",
        day=day(on),
        time=time_of_day(datetime.combine(on, at)),
    )
