"""The sync: approved jobs come from Dataverse onto the board, and go on following it there."""
