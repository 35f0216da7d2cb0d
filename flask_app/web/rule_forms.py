"""The forms of the shop's rules: when a department is clocked out, and the holidays."""

from collections.abc import Mapping
from typing import Any

from flask_app.models.shop_rules import HOLIDAY_NAME_MAX, holiday_problems
from flask_app.web.fields import Day, Text, Tick, TimeOfDay
from flask_app.web.forms import EditForm, Form
from flask_app.words import lazy


class DepartmentRuleForm(EditForm):
    """A department's auto clock-out; the department itself can't be changed."""

    clocks_out = Tick(lazy("Auto clock-out"))
    clock_out_at = TimeOfDay(lazy("Runs at"), missing=lazy("Enter the time."))
    assumed_end = TimeOfDay(lazy("Record end as"), missing=lazy("Enter the time."))


class HolidayForm(Form):
    day = Day(lazy("Day"), missing=lazy("Enter the day."))
    name = Text(
        lazy("Name"), missing=lazy("Give the holiday a name."), maxlength=HOLIDAY_NAME_MAX, autocomplete="off"
    )

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, str]:
        return holiday_problems(values)
