"""What whoever runs the program needs: backups that are proved by restoring them, and a check of the data."""
