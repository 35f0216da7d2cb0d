"""The forms of the shop's rules: when a department is clocked out, and the holidays."""

from collections.abc import Mapping
from typing import Any

from flask_app.models.shop_rules import HOLIDAY_NAME_MAX, holiday_problems
from flask_app.web.fields import Day, Text, Tick, TimeOfDay
from flask_app.web.forms import EditForm, Form


class DepartmentRuleForm(EditForm):
    """A department's auto clock-out; the department itself can't be changed."""

    clocks_out = Tick("Auto clock-out")
    clock_out_at = TimeOfDay("Runs at", missing="Fill in the time.")
    assumed_end = TimeOfDay("Record end as", missing="Fill in the time.")


class HolidayForm(Form):
    day = Day("Day", missing="Fill in the day.")
    name = Text("Name", missing="Give the holiday a name.", maxlength=HOLIDAY_NAME_MAX, autocomplete="off")

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, str]:
        return holiday_problems(values)
