"""The forms of old shifts that moving in set aside."""

from collections.abc import Mapping
from typing import Any

from flask_app.adopt.set_aside import AFTER_LAST, BEGIN_AT, DISMISS, END_AT, USUAL_END, WITH_TIME, ZERO
from flask_app.models.audit import REASON_MAX
from flask_app.web.fields import Choice, Reason, TimeOfDay
from flask_app.web.forms import Form
from flask_app.web.shift_forms import NO_REASON, NewShiftForm, RepairForm
from flask_app.words import _, lazy

OLD_HOWS: Mapping[str, Any] = {
    ZERO: lazy("End where it started, so it counts 0:00"),
    USUAL_END: lazy("End at the department's usual end, on the day each started"),
    END_AT: lazy("End at this time, on the day each started"),
    AFTER_LAST: lazy("Start where the person's last punch before it ended, on the same day"),
    BEGIN_AT: lazy("Start at this time, on the day each ended"),
    DISMISS: lazy("Dismiss: no hours"),
}


class OldShiftForm(NewShiftForm):
    """Make a shift of an old row that was set aside."""

    reason = Reason(
        lazy("Reason"), missing=NO_REASON, hint=lazy("It stays with the shift."), limit=REASON_MAX,
        autocomplete="off",
    )  # fmt: skip


class DismissOldShiftForm(Form):
    reason = Reason(lazy("Reason for dismissing it"), missing=NO_REASON, limit=REASON_MAX, autocomplete="off")


class OldShiftsForm(Form):
    """What to do with several old rows at once; `row` are the ticked ones, which the page draws itself."""

    how = Choice(lazy("What to do"), OLD_HOWS, missing=lazy("Choose what to do."))
    at = TimeOfDay(lazy("The time"))
    reason = RepairForm.reason

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, str]:
        needs_time = values.get("how") in WITH_TIME and values.get("at", "") is None
        return {"at": _("Enter the time.")} if needs_time else {}
