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

NO_JOB = "Choose a job: type its IM number, or words to find it."
NO_START = "Fill in when the shift started."
NO_END = "Fill in when the shift ended."
NO_REASON = "Say why in a few words. It stays with the shift."
KINDS = {FORGOT: "I forgot to punch out", WRONG_JOB: "It's the wrong job", WRONG_TIME: "A time is wrong"}
HOWS = {
    ASSUMED: "End at the department's usual end, on the day each began",
    AT_TIME: "End at this time, on the day each began",
    CONFIRM: "Confirm the assumed ends",
}
_SEEN_BY_ALL = "It stays with the shift: everybody who looks at it sees this."


def as_shown(shift: Shift) -> SimpleNamespace:
    """Return a shift under the names of a form's fields."""
    return SimpleNamespace(start=shift.started_at, end=shift.ended_at, job=shift.job, note=shift.note)


class ShiftForm(EditForm):
    """Change a shift; `thing` is as_shown()."""

    job = JobNumber("Job", missing=NO_JOB)
    start = Moment("Start", missing=NO_START)
    end = Moment("End")
    note = Text("Note (optional)", limit=NOTE_MAX, autocomplete="off")
    reason = Reason("Reason for the change", hint=_SEEN_BY_ALL, limit=REASON_MAX, autocomplete="off")

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, str]:
        found = {}
        if "end" in values and values["end"] is None and self.end.object_data is not None:
            found["end"] = NO_END
        if values.keys() - {"reason"} and not self.reason.data:
            found["reason"] = NO_REASON
        return found


class PunchForm(Form):
    """Punch in on a job, from its page; the job, the person and the key of the form stand beside it."""

    note = Text("Note (optional)", limit=NOTE_MAX, autocomplete="off", enterkeyhint="done")


class DeleteShiftForm(Form):
    reason = Reason("Reason for deleting it", missing=NO_REASON, limit=REASON_MAX, autocomplete="off")


class NewShiftForm(Form):
    user_id = Person("Who", missing="Choose a person.")
    job = ShiftForm.job
    start = ShiftForm.start
    end = Moment("End", missing=NO_END)
    note = ShiftForm.note
    reason = Reason(
        "Reason for adding it", missing=NO_REASON, hint="It stays with the shift.", limit=REASON_MAX,
        autocomplete="off",
    )  # fmt: skip


class MissingShiftForm(Form):
    """Ask for a shift that was never punched. Only what is asked for has to be filled in."""

    job = JobNumber("Job")
    start = Moment("Start")
    end = Moment("End")
    note = Text("Note (optional)", limit=ASKED_NOTE_MAX, autocomplete="off")

    @property
    def asks_for(self) -> str:
        return MISSING

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, str]:
        needed = _NEEDED.get(self.asks_for, {})
        for name, field in (("job", self.job), ("start", self.start), ("end", self.end)):
            if name not in needed:
                field.errors = []
        return {name: problem for name, problem in needed.items() if values.get(name, problem) is None}


class CorrectionForm(MissingShiftForm):
    """Ask for a shift to be as it should be."""

    kind = Choice("What is wrong?", KINDS, missing="Say what is wrong.")

    @property
    def asks_for(self) -> str:
        return self.kind.data or ""


_NEEDED = {
    FORGOT: {"end": NO_END},
    WRONG_JOB: {"job": NO_JOB},
    WRONG_TIME: {"start": NO_START, "end": NO_END},
    MISSING: {"job": NO_JOB, "start": NO_START, "end": NO_END},
}


class RepairForm(Form):
    """How shifts without a punch out end; `shift` are the ticked ones, which the page draws itself."""

    how = Choice("How they end", HOWS, missing="Choose how they end.")
    at = TimeOfDay("The time")
    reason = Reason("Reason", hint="It stays with each shift.", limit=REASON_MAX, autocomplete="off")

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, str]:
        needs_time = values.get("how") == AT_TIME and values.get("at", "") is None
        return {"at": "Fill in the time."} if needs_time else {}


class AssignForm(Form):
    """Put people on a job; `person` are the ticked ones, which the page draws itself."""

    job = ShiftForm.job
    start = Moment("From")
    reason = Reason("Reason (optional)", limit=REASON_MAX, autocomplete="off")
