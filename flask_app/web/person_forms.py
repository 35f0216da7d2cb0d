"""The forms of people: making an account, changing one, and one's own password."""

from collections.abc import Mapping
from typing import Any

from flask_app.models import User
from flask_app.models.user import (
    ADMINISTRATIVE,
    DEPARTMENTS,
    EMAIL_TAKEN,
    EMPLOYEE_NUMBER_MAX,
    password_problem,
    problems_of,
)
from flask_app.web.fields import Choice, Day, Email, Password, Text, Tick
from flask_app.web.forms import EditForm, Form

TEAMS = {code: words for code, words in DEPARTMENTS.items() if code != ADMINISTRATIVE}  # open to anybody
TOO_SHORT = "A password needs at least 8 characters."
DIFFER = "The two passwords differ."


class NewPersonForm(Form):
    first_name = Text("First name", missing="The first name is missing.", maxlength=100, autocomplete="off")
    last_name = Text(
        "Last name", hint="Leave this empty for a single name.", maxlength=100, autocomplete="off"
    )
    email = Email(
        "E-mail", missing="The e-mail is missing.", maxlength=255, inputmode="email", autocapitalize="none",
        autocomplete="off",
    )  # fmt: skip
    employee_number = Text(
        "Employee number", maxlength=EMPLOYEE_NUMBER_MAX, autocomplete="off",
        hint="What the payroll knows this person by, if it has one. It stands in every file.",
    )  # fmt: skip
    department = Choice("Department", DEPARTMENTS, missing="Choose a department.")
    password = Password(
        "Password", missing=TOO_SHORT, hint="At least 8 characters. Tell it to the person yourself.",
        autocomplete="new-password",
    )  # fmt: skip

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Also tell that an address is taken before anything is saved, beside all other problems."""
        found, email = problems_of(values), values.get("email")
        if email and "email" not in found and User.by_email(email):
            found["email"] = EMAIL_TAKEN
        return found


class RegistrationForm(NewPersonForm):
    department = Choice("Department", TEAMS, missing="Choose one of these departments.")
    password = Password(
        "Password", missing=TOO_SHORT, hint="At least 8 characters.", autocomplete="new-password"
    )
    confirm_password = Password("Repeat password", missing=DIFFER, autocomplete="new-password")

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, str]:
        found = super().broken_rules(values)
        if self.password.data != self.confirm_password.data:
            found["confirm_password"] = DIFFER
        return found


class PersonForm(EditForm):
    first_name = NewPersonForm.first_name
    last_name = NewPersonForm.last_name
    email = NewPersonForm.email
    employee_number = NewPersonForm.employee_number
    department = NewPersonForm.department
    on_active_roster = Tick("On the roster", hint="Expected at the clock on working days.")
    hire_date = Day("First day of work", hint="Reports count no possible hours before it.")
    leave_date = Day(
        "Last day of work", hint="Nor after it. It doesn't lock the account: deactivate it for that."
    )

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, str]:
        return problems_of(values)


class OwnPasswordForm(Form):
    old_password = Password(
        "Current password", missing="Fill in your current password.", autocomplete="current-password"
    )
    password = Password(
        "New password", missing=TOO_SHORT, hint="At least 8 characters.", autocomplete="new-password"
    )
    confirm_password = Password("Repeat new password", missing=DIFFER, autocomplete="new-password")

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, str]:
        found, password = {}, self.password.data
        if problem := password_problem(password):
            found["password"] = problem
        elif password == self.old_password.data:
            found["password"] = "Choose a password that you didn't have before."  # noqa: S105  # a sentence
        if password != self.confirm_password.data:
            found["confirm_password"] = DIFFER
        return found
