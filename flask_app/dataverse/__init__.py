"""Microsoft Dataverse: the client (HTTP), the service (imi_jobs in our words) and the sync."""
