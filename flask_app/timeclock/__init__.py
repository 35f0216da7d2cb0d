"""The time clock: every change of hours and of people's accounts, each with its row in the audit."""
