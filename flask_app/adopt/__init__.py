"""Moving in: the old program's database is read, never written, and every row of it is accounted for."""
