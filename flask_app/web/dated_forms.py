"""The forms of what holds from a day on: the meal rule, a person's department and working days."""

from flask_app.models.user import DEPARTMENTS
from flask_app.web.fields import Choice, Day, Hours, Whole
from flask_app.web.forms import Form
from flask_app.words import lazy


class MealForm(Form):
    minutes = Whole(
        lazy("Minutes deducted"), missing=lazy("Enter the minutes, 0 for none."), inputmode="numeric"
    )
    after = Hours(
        lazy("After (hours)"), missing=lazy("Enter the hours, such as 4."), inputmode="decimal",
        hint=lazy("Working longer never pays less."),
    )  # fmt: skip
    from_day = Day(
        lazy("From"), missing=lazy("Enter the day."), hint=lazy("Hours of earlier days stay as they are.")
    )


class MoveForm(Form):
    department = Choice(lazy("Department"), DEPARTMENTS, missing=lazy("Choose a department."))
    from_day = Day(
        lazy("From"), missing=lazy("Enter the day."), hint=lazy("Hours from this day on count there.")
    )


class WeekForm(Form):
    from_day = Day(lazy("From"), missing=lazy("Enter the day."))
