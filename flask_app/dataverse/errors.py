"""What can go wrong with Dataverse, grouped by what the caller should do about it."""


class DataverseClientError(Exception):
    """Any failed call. `str(error)` is a whole sentence, fit for the shop's admin; it never holds a secret.

    `status` is the HTTP status (None: no answer came), `code` and `message` are Dataverse's or Entra's own,
    `request_id` is what Microsoft's support asks for, `retry_after` the seconds of rest that the server asks
    for (None: it did not say).
    """

    def __init__(
        self,
        sentence: str,
        *,
        status: int | None = None,
        code: str = "",
        message: str = "",
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.message = message
        self.request_id = request_id
        self.retry_after = retry_after


class DataverseUnavailable(DataverseClientError):
    """Try again later, after `retry_after`: the network, throttling or an ailing service."""


class DataverseRefused(DataverseClientError):
    """Change the configuration or the rights: trying again as things are cannot help."""


class DataverseConflict(DataverseClientError):
    """Read the record again: it is not the one that the change was made for."""


class DataverseProtocolError(DataverseClientError):
    """Report it: Dataverse answered something that this client does not understand."""
