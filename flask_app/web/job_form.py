"""The forms of a job."""

from collections.abc import Mapping
from typing import Any

from flask_app.models import Job
from flask_app.models.job import IM_NUMBER_MAX, problems_of
from flask_app.web.fields import Choice, Hours, Lines, Text
from flask_app.web.forms import EditForm, Form
from flask_app.words import _, lazy

STATUSES = {"1": lazy("Active"), "0": lazy("Inactive")}


class NewJobForm(Form):
    im_number = Text(
        lazy("IM number"), missing=lazy("Enter the IM number."), maxlength=IM_NUMBER_MAX, autocomplete="off",
        autocapitalize="characters", spellcheck="false",
    )  # fmt: skip
    general_contractor = Text(
        lazy("General contractor"),
        missing=lazy("Enter the general contractor."),
        maxlength=255,
        autocomplete="off",
    )
    job_scope = Lines(lazy("Scope"), missing=lazy("Enter the scope."), maxlength=2000)
    job_name_address = Lines(
        lazy("Job name and address"), hint=lazy("Leave empty if there is none."), maxlength=2000
    )
    estimated_hours = Hours(
        lazy("Estimated hours"), hint=lazy("Leave empty if there is no estimate."), inputmode="decimal",
        autocomplete="off",
    )  # fmt: skip
    context = Lines(lazy("Notes for the shop (optional)"), maxlength=2000)
    status = Choice(lazy("Status"), STATUSES, read=int, missing=lazy("Choose active or inactive."), default=1)

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Also tell that a number is taken before anything is saved, beside all other problems."""
        found, number = problems_of(values), values.get("im_number")
        there = Job.exactly(number) if number and "im_number" not in found else None
        if there:
            found["im_number"] = _("There is already a job %(job)s.", job=there.im_number)
        return found


class JobForm(EditForm, NewJobForm):
    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, str]:
        return problems_of(values)
