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
from flask_app.words import Words, _, lazy

TEAMS = {code: words for code, words in DEPARTMENTS.items() if code != ADMINISTRATIVE}  # open to anybody
TOO_SHORT = lazy("Use at least 8 characters.")
DIFFER = lazy("The passwords don't match.")


class NewPersonForm(Form):
    first_name = Text(
        lazy("First name"), missing=lazy("Enter the first name."), maxlength=100, autocomplete="off"
    )
    last_name = Text(
        lazy("Last name"), hint=lazy("Leave empty for a single name."), maxlength=100, autocomplete="off"
    )
    email = Email(
        lazy("Email"), missing=lazy("Enter the email."), maxlength=255, inputmode="email",
        autocapitalize="none", autocomplete="off",
    )  # fmt: skip
    employee_number = Text(
        lazy("Employee number"), maxlength=EMPLOYEE_NUMBER_MAX, autocomplete="off",
        hint=lazy("From payroll, if there is one. It appears in every file."),
    )  # fmt: skip
    department = Choice(lazy("Department"), DEPARTMENTS, missing=lazy("Choose a department."))
    password = Password(
        lazy("Password"), missing=TOO_SHORT,
        hint=lazy("At least 8 characters. Tell it to the person yourself."), autocomplete="new-password",
    )  # fmt: skip

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, Words]:
        """Also tell that an address is taken before anything is saved, beside all other problems."""
        found: dict[str, Words] = {**problems_of(values)}
        email = values.get("email")
        if email and "email" not in found and User.by_email(email):
            found["email"] = EMAIL_TAKEN
        return found


class RegistrationForm(NewPersonForm):
    department = Choice(lazy("Department"), TEAMS, missing=lazy("Choose one of these departments."))
    password = Password(
        lazy("Password"), missing=TOO_SHORT, hint=lazy("At least 8 characters."), autocomplete="new-password"
    )
    confirm_password = Password(lazy("Repeat password"), missing=DIFFER, autocomplete="new-password")

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, Words]:
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
    on_active_roster = Tick(lazy("On the roster"), hint=lazy("Expected at the clock on working days."))
    hire_date = Day(lazy("First day of work"), hint=lazy("Reports count possible hours from this day on."))
    leave_date = Day(
        lazy("Last day of work"),
        hint=lazy("Reports count possible hours up to this day. To lock the account, deactivate it."),
    )

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, str]:
        return problems_of(values)


class OwnPasswordForm(Form):
    old_password = Password(
        lazy("Current password"),
        missing=lazy("Enter your current password."),
        autocomplete="current-password",
    )
    password = Password(
        lazy("New password"),
        missing=TOO_SHORT,
        hint=lazy("At least 8 characters."),
        autocomplete="new-password",
    )
    confirm_password = Password(lazy("Repeat new password"), missing=DIFFER, autocomplete="new-password")

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, Words]:
        found: dict[str, Words] = {}
        password = self.password.data
        if problem := password_problem(password):
            found["password"] = problem
        elif password == self.old_password.data:
            found["password"] = _("Choose a password you haven't had before.")  # noqa: S105  # a sentence
        if password != self.confirm_password.data:
            found["confirm_password"] = DIFFER
        return found
