"""The forms of shifts: what admins change and add, what people ask to have corrected, who is put on a job."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from flask_app.models import Shift
from flask_app.models.audit import REASON_MAX
from flask_app.models.correction import FORGOT, MISSING, WRONG_JOB, WRONG_TIME
from flask_app.models.correction import NOTE_MAX as ASKED_NOTE_MAX
from flask_app.models.shift import NOTE_MAX
from flask_app.timeclock.clock_out import ASSUMED, AT_TIME, CONFIRM
from flask_app.web.fields import Choice, Reason, Text, TimeOfDay
from flask_app.web.forms import EditForm, Form
from flask_app.web.shift_fields import JobNumber, Moment, Person
from flask_app.words import Words, _, lazy

NO_JOB = lazy("Choose a job: type its IM number, or words to find it.")
NO_START = lazy("Enter when the shift started.")
NO_END = lazy("Enter when the shift ended.")
NO_REASON = lazy("Enter a reason. It stays with the shift.")
KINDS = {
    FORGOT: lazy("I forgot to punch out"),
    WRONG_JOB: lazy("It's the wrong job"),
    WRONG_TIME: lazy("A time is wrong"),
}
HOWS = {
    ASSUMED: lazy("End at the department's usual end, on the day each started"),
    AT_TIME: lazy("End at this time, on the day each started"),
    CONFIRM: lazy("Confirm the assumed ends"),
}
_SEEN_BY_ALL = lazy("It stays with the shift: everyone who looks at it sees this.")


def as_shown(shift: Shift) -> SimpleNamespace:
    """Return a shift under the names of a form's fields."""
    return SimpleNamespace(start=shift.started_at, end=shift.ended_at, job=shift.job, note=shift.note)


class ShiftForm(EditForm):
    """Change a shift; `thing` is as_shown()."""

    job = JobNumber(lazy("Job"), missing=NO_JOB)
    start = Moment(lazy("Start"), missing=NO_START)
    end = Moment(lazy("End"))
    note = Text(lazy("Note (optional)"), limit=NOTE_MAX, autocomplete="off")
    reason = Reason(lazy("Reason for the change"), hint=_SEEN_BY_ALL, limit=REASON_MAX, autocomplete="off")

    def broken_rules(self, values: Mapping[str, Any]) -> Mapping[str, Words]:
        found = {}
        if "end" in values and values["end"] is None and self.end.object_data is not None:
            found["end"] = NO_END
        if values.keys() - {"reason"} and not self.reason.data:
            found["reason"] = NO_REASON
        return found


class PunchForm(Form):
    """Punch in on a job, from its page; the job, the person and the key of the form stand beside it."""

    note = Text(lazy("Note (optional)"), limit=NOTE_MAX, autocomplete="off", enterkeyhint="done")


class DeleteShiftForm(Form):
    reason = Reason(lazy("Reason for deleting it"), missing=NO_REASON, limit=REASON_MAX, autocomplete="off")


class NewShiftForm(Form):
    user_id = Person(lazy("Who"), missing=lazy("Choose a person."))
    job = ShiftForm.job
    start = ShiftForm.start
    end = Moment(lazy("End"), missing=NO_END)
    note = ShiftForm.note
    reason = Reason(
        lazy("Reason for adding it"), missing=NO_REASON, hint=lazy("It stays with the shift."),
        limit=REASON_MAX, autocomplete="off",
    )  # fmt: skip


class MissingShiftForm(Form):
    """Ask for a shift that was never punched. Only what is asked for has to be filled in."""

    job = JobNumber(lazy("Job"))
    start = Moment(lazy("Start"))
    end = Moment(lazy("End"))
    note = Text(lazy("Note (optional)"), limit=ASKED_NOTE_MAX, autocomplete="off")

    @property
    def asks_for(self) -> str:
        return MISSING

    def broken_rules(self, values: Mapping[str, Any]) -> Mapping[str, Words]:
        needed = _NEEDED.get(self.asks_for, {})
        for name, field in (("job", self.job), ("start", self.start), ("end", self.end)):
            if name not in needed:
                field.errors = []
        return {name: problem for name, problem in needed.items() if values.get(name, problem) is None}


class CorrectionForm(MissingShiftForm):
    """Ask for a shift to be as it should be."""

    kind = Choice(lazy("What is wrong?"), KINDS, missing=lazy("Choose what is wrong."))

    @property
    def asks_for(self) -> str:
        return self.kind.data or ""


class SwitchForm(Form):
    """Say when one has switched jobs, and to which."""

    since = Moment(lazy("When I switched"), missing=lazy("Enter when you switched."))
    job = JobNumber(lazy("Another job"), missing=NO_JOB)
    note = MissingShiftForm.note


_NEEDED = {
    FORGOT: {"end": NO_END},
    WRONG_JOB: {"job": NO_JOB},
    WRONG_TIME: {"start": NO_START, "end": NO_END},
    MISSING: {"job": NO_JOB, "start": NO_START, "end": NO_END},
}


class RepairForm(Form):
    """How shifts without a punch out end; `shift` are the ticked ones, which the page draws itself."""

    how = Choice(lazy("How they end"), HOWS, missing=lazy("Choose how they end."))
    at = TimeOfDay(lazy("The time"))
    reason = Reason(
        lazy("Reason"), hint=lazy("It stays with each shift."), limit=REASON_MAX, autocomplete="off"
    )

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, str]:
        needs_time = values.get("how") == AT_TIME and values.get("at", "") is None
        return {"at": _("Enter the time.")} if needs_time else {}


class AssignForm(Form):
    """Put people on a job; `person` are the ticked ones, which the page draws itself."""

    job = ShiftForm.job
    start = Moment(lazy("From"))
    reason = Reason(lazy("Reason (optional)"), limit=REASON_MAX, autocomplete="off")
