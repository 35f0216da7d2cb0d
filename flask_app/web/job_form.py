"""The forms of a job."""

from collections.abc import Mapping
from typing import Any

from flask_app.models import Job
from flask_app.models.job import IM_NUMBER_MAX, problems_of
from flask_app.web.fields import Choice, Hours, Lines, Text
from flask_app.web.forms import EditForm, Form

STATUSES = {"1": "Active", "0": "Inactive"}


class NewJobForm(Form):
    im_number = Text(
        "IM number", missing="The IM number is missing.", maxlength=IM_NUMBER_MAX, autocomplete="off",
        autocapitalize="characters", spellcheck="false",
    )  # fmt: skip
    general_contractor = Text(
        "General contractor", missing="The general contractor is missing.", maxlength=255, autocomplete="off"
    )
    job_scope = Lines("Scope", missing="The scope is missing.", maxlength=2000)
    job_name_address = Lines(
        "Job name and address", hint="Leave this empty if there is none.", maxlength=2000
    )
    estimated_hours = Hours(
        "Estimated hours", hint="Leave this empty if there is no estimate.", inputmode="decimal",
        autocomplete="off",
    )  # fmt: skip
    context = Lines("Notes for the shop (optional)", maxlength=2000)
    status = Choice("Status", STATUSES, read=int, missing="Choose active or inactive.", default=1)

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Also tell that a number is taken before anything is saved, beside all other problems."""
        found, number = problems_of(values), values.get("im_number")
        there = Job.exactly(number) if number and "im_number" not in found else None
        if there:
            found["im_number"] = f"There is already a job {there.im_number}."
        return found


class JobForm(EditForm, NewJobForm):
    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, str]:
        return problems_of(values)
