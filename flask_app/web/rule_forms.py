"""The forms of the shop's rules: when a department is clocked out, and the holidays."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_app.models import DepartmentRule, User
from flask_app.models.errors import ValidationError
from flask_app.models.shop_rules import HOLIDAY_NAME_MAX, holiday_problems
from flask_app.web.fields import Day, Text, Tick, TimeOfDay
from flask_app.web.forms import EditForm, Form
from flask_app.words import lazy


class DepartmentRuleForm(EditForm):
    """A department's auto clock-out; the department itself can't be changed."""

    clocks_out = Tick(lazy("Auto clock-out"))
    clock_out_at = TimeOfDay(lazy("Runs at"), missing=lazy("Enter the time."))
    assumed_end = TimeOfDay(lazy("Record end as"), missing=lazy("Enter the time."))


class RulesRefused(ValidationError):
    """What is wrong with some departments' rules, by department."""

    def __init__(self, refusals: Mapping[str, ValidationError]) -> None:
        super().__init__({})
        self.refusals = refusals


class ClockOutForm:
    """All departments' auto clock-outs, as one table with one button: a row is a form of its own."""

    def __init__(self, formdata: Any, rules: Mapping[str, DepartmentRule]) -> None:
        self.rows = {code: DepartmentRuleForm(formdata, rule, prefix=code) for code, rule in rules.items()}

    @property
    def sent(self) -> dict[str, DepartmentRuleForm]:
        """The rows that were sent; a script may send one of them."""
        return {code: row for code, row in self.rows.items() if any(field.is_sent for field in row.fields())}

    def validate(self) -> bool:
        """Whether all rows can be taken; if not, every one says why."""
        taken = [row.validate() for row in self.sent.values()]
        return bool(taken) and all(taken)

    @property
    def says(self) -> str:
        """What stands above the table."""
        said = [row.says for row in self.rows.values() if row.says]
        return said[0] if said else ""

    @property
    def code(self) -> int:
        return max(row.code for row in self.rows.values() if row.says) if self.says else 422

    def save(self, *, by: User, now: datetime) -> None:
        """Change what the table changes; all of it or nothing. Raises RulesRefused."""
        refusals = {}
        for code, row in self.sent.items():
            rule = DepartmentRule.locked(code)
            try:
                rule.change(row.changes(rule), by=by, now=now)
            except ValidationError as invalid:
                refusals[code] = invalid
        if refusals:
            raise RulesRefused(refusals)

    def refuse(self, refused: RulesRefused) -> None:
        for code, invalid in refused.refusals.items():
            self.rows[code].refuse(invalid)


class HolidayForm(Form):
    day = Day(lazy("Day"), missing=lazy("Enter the day."))
    name = Text(
        lazy("Name"), missing=lazy("Give the holiday a name."), maxlength=HOLIDAY_NAME_MAX, autocomplete="off"
    )

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, str]:
        return holiday_problems(values)
