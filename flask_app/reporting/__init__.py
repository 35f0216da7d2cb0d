"""Hours counted: the time rule, its twin in SQL, today's board and the reports."""
