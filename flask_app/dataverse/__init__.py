"""Microsoft Dataverse: the client (HTTP) and the service (imi_jobs in our words)."""
