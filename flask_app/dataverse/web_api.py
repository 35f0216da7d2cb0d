"""One authorized request to the Dataverse Web API, and what its answer is: a JSON object, or an error."""

import time
import uuid
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import requests

from flask_app.dataverse.addresses import https_origin, plain_name
from flask_app.dataverse.answers import Answer, error_for, scrubber
from flask_app.dataverse.errors import DataverseProtocolError, DataverseRefused
from flask_app.dataverse.retries import Call, CallStatistics, Retrier, RetryPolicy
from flask_app.dataverse.tokens import TokenSource
from flask_app.dataverse.transport import Deadline, Transport
from flask_app.words import noted

Row = dict[str, Any]


class WebApi:
    """One Dataverse environment. Safe to use from several threads; nothing is sent before the first call.

    `timeout_seconds` bounds each silence of the server, `deadline_seconds` a whole call with its token,
    retries, waits and pages (not the caller's own work between two pages). `max_wait_seconds` is the longest
    wait between two attempts: a server that asks for more ends the call. `ca_bundle` replaces the usual
    certificate authorities. Name look-ups are the operating system's and keep its own time limit.
    """

    def __init__(
        self,
        base_url: str,
        tenant_id: str,
        client_id: str,
        client_secret: str,
        scope: str | None = None,
        *,
        authority: str = "https://login.microsoftonline.com",
        api_version: str = "v9.2",
        timeout_seconds: float = 30,
        ca_bundle: str | None = None,
        deadline_seconds: float = 600,
        max_wait_seconds: float = 60,
        max_attempts: int = 5,
        max_page_bytes: int = 64 << 20,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not (tenant_id and client_id and client_secret):
            raise DataverseRefused(noted("Dataverse needs a tenant id, a client id and a client secret."))
        self.base_url = https_origin(base_url)
        self._api = f"{self.base_url}/api/data/{api_version}"
        self._deadline_seconds = deadline_seconds
        self._scrub = scrubber(client_secret)
        self._transport = Transport(
            timeout_seconds=timeout_seconds, ca_bundle=ca_bundle, max_body_bytes=max_page_bytes
        )
        self._retrier = Retrier(
            self._transport, RetryPolicy(max_attempts, max_wait_seconds, sleep), self._scrub
        )
        self._tokens = TokenSource(
            authority=f"{https_origin(authority)}/{tenant_id}",
            client_id=client_id,
            client_secret=client_secret,
            scope=scope or f"{self.base_url}/.default",
            retrier=self._retrier,
            scrub=self._scrub,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"  # and nothing that is secret

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._transport.close()

    def _done(self, request: requests.Request, statistics: CallStatistics | None = None) -> None:
        """Send what changes something; raise unless Dataverse says that it is done."""
        answer = self._answer(request, self._call(statistics))
        if not 200 <= answer.status < 300:
            raise error_for(answer, self._scrub)

    def _object(self, answer: Answer) -> Row:
        if answer.status != 200:
            raise error_for(answer, self._scrub)
        content = answer.json_object()
        if content is None:
            if "html" in answer.headers.get("Content-Type", "").lower():
                raise unreadable(answer, noted("a web page instead of rows"))
            raise unreadable(answer, noted("something that is not whole JSON"))
        return content

    def _answer(self, request: requests.Request, call: Call) -> Answer:
        """Return the answer to an authorized request; a token that is not accepted is renewed once."""
        token = self._tokens.token(call)
        answer = self._retrier.answer(_authorized(request, token), call)
        if answer.status == 401:
            token = self._tokens.token(call, rejected=token)
            answer = self._retrier.answer(_authorized(request, token), call)
        return answer

    def _call(self, statistics: CallStatistics | None = None) -> Call:
        statistics = statistics or CallStatistics()
        return Call(Deadline(self._deadline_seconds, within=statistics.deadline), statistics)

    def _address(self, entity_set: str, record_id: str | None = None) -> str:
        key = "" if record_id is None else f"({uuid.UUID(record_id)})"
        return f"{self._api}/{plain_name(entity_set)}{key}"

    def _request(self, method: str, address: str, headers: Mapping[str, str]) -> requests.Request:
        common = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",  # a page is some megabytes of very repetitive text
            "OData-Version": "4.0",
            "OData-MaxVersion": "4.0",
            "User-Agent": "island-time",
            "x-ms-client-request-id": str(uuid.uuid4()),
        }
        return requests.Request(method, address, headers={**common, **headers})


def _authorized(request: requests.Request, token: str) -> requests.PreparedRequest:
    request.headers["Authorization"] = f"Bearer {token}"
    prepared = request.prepare()
    prepared.url = request.url  # as Dataverse wrote it: a next link must not be quoted again
    return prepared


def unreadable(answer: Answer, what: str) -> DataverseProtocolError:
    """Return the error for an answer that is not what it should be."""
    sentence = noted("%(host)s answered with %(what)s.", host=answer.host, what=what)
    return DataverseProtocolError(sentence, status=answer.status, request_id=answer.request_id)
