"""The bearer token: fetched by MSAL, through our own way to the network, once for all threads."""

import json
import threading
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Any

import msal
import requests

from flask_app.dataverse.answers import Answer, Scrub, error_for
from flask_app.dataverse.errors import (
    DataverseClientError,
    DataverseProtocolError,
    DataverseRefused,
    DataverseUnavailable,
)
from flask_app.dataverse.retries import Call, Retrier
from flask_app.words import noted

# Entra's error numbers whose remedy is known
_REMEDIES = {
    7000215: noted(
        "Microsoft's sign-in does not accept the client secret; enter the secret's value, not its id."
    ),
    7000222: noted("The client secret has expired; make a new one in Entra and enter it here."),
    700016: noted("Microsoft's sign-in does not know the client id in this tenant; check both."),
    7000112: noted("The application is disabled in Entra; enable it there."),
    90002: noted("Microsoft's sign-in does not know the tenant; check the tenant id."),
    900023: noted("Microsoft's sign-in does not know the tenant; check the tenant id."),
    500011: noted(
        "Microsoft's sign-in does not know the Dataverse address in this tenant; check the address."
    ),
    70011: noted(
        "Microsoft's sign-in does not know the Dataverse address in this tenant; check the address."
    ),
}


class _Failed(requests.RequestException):
    """Carries our own error through MSAL, which falls back to a still good token on RequestException only."""

    def __init__(self, error: DataverseClientError) -> None:
        super().__init__("the sign-in failed")
        self.error = error


@dataclass(frozen=True, slots=True)
class _Reply:
    """The three things that MSAL looks at in an answer."""

    status_code: int
    text: str
    headers: dict[str, str]


class _Door:
    """MSAL's http_client. It retries as we do, so that MSAL never sees, and never remembers, a 5xx."""

    def __init__(self, retrier: Retrier, scrub: Scrub) -> None:
        self._retrier = retrier
        self._scrub = scrub
        self.call: Call | None = None  # whose time is being spent; set under TokenSource's lock

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> _Reply:
        return self._reply(requests.Request("GET", url, params=params, headers=headers))

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> _Reply:
        return self._reply(requests.Request("POST", url, params=params, data=data, headers=headers))

    def close(self) -> None:
        """Do nothing: the pool belongs to the client."""

    def _reply(self, request: requests.Request) -> _Reply:
        answer = self._answer(request)
        document = answer.json_object()
        if answer.status == 200 or (request.method == "POST" and document and "error" in document):
            if document is None:  # MSAL would write it to the log, token and all
                raise _Failed(_unreadable(answer))
            return _Reply(answer.status, answer.body.decode(), dict(answer.headers))
        if document and "error" in document:
            raise _Failed(sign_in_error(document, answer.status, self._scrub))
        raise _Failed(error_for(answer, self._scrub))

    def _answer(self, request: requests.Request) -> Answer:
        if self.call is None:
            raise RuntimeError("MSAL went to the network outside of a call")
        try:
            return self._retrier.answer(request.prepare(), self.call)
        except DataverseClientError as error:
            raise _Failed(error) from None


class TokenSource:
    """Gives out the bearer token. One thread fetches it, the others wait for that one."""

    def __init__(
        self,
        *,
        authority: str,
        client_id: str,
        client_secret: str,
        scope: str,
        retrier: Retrier,
        scrub: Scrub,
    ) -> None:
        self._authority = authority
        self._client_id = client_id
        self._client_secret = client_secret
        self._scope = scope
        self._scrub = scrub
        self._door = _Door(retrier, scrub)
        self._lock = threading.Lock()
        self._application: msal.ConfidentialClientApplication | None = None

    def token(self, call: Call, *, rejected: str | None = None) -> str:
        """Return a token; a new one if the one at hand is the `rejected` one."""
        if not self._lock.acquire(timeout=call.deadline.remaining()):
            raise DataverseUnavailable(noted("Microsoft's sign-in did not give a full answer in time."))
        try:
            self._door.call = call
            outcome = self._outcome(rejected)
        finally:
            self._door.call = None
            self._lock.release()
        if isinstance(outcome, DataverseClientError):
            raise outcome
        return outcome

    def _outcome(self, rejected: str | None) -> str | DataverseClientError:
        """Return the token or the error, so that none is raised with MSAL's exception in tow."""
        try:
            granted = self._acquire()
            if rejected is not None and granted.get("access_token") == rejected:
                self._msal().remove_tokens_for_client()
                granted = self._acquire()
        except _Failed as failed:
            return failed.error
        except (ValueError, KeyError, TypeError, AttributeError):  # MSAL on a discovery document that is none
            return DataverseProtocolError(
                noted(
                    "Microsoft's sign-in at %(authority)s gave an unusable answer.", authority=self._authority
                )
            )
        token = granted.get("access_token")
        if isinstance(token, str) and token.isascii() and token.isprintable() and token:
            return token
        if "error" in granted:
            return sign_in_error(granted, None, self._scrub)
        return DataverseProtocolError(
            noted("Microsoft's sign-in at %(authority)s granted no usable token.", authority=self._authority)
        )

    def _acquire(self) -> dict[str, Any]:
        granted: dict[str, Any] | None = self._msal().acquire_token_for_client([self._scope])
        return granted or {}

    def _msal(self) -> msal.ConfidentialClientApplication:
        """Build MSAL's application at first need: its constructor goes to the network."""
        if self._application is None:
            self._application = msal.ConfidentialClientApplication(
                self._client_id,
                client_credential=self._client_secret,
                authority=self._authority,
                # The configured authority is believed: asking login.microsoftonline.com about it would fail
                # for a stand-in and for sovereign clouds.
                instance_discovery=False,
                token_cache=msal.TokenCache(),
                http_client=self._door,
            )
        return self._application


def claims_of(token: str) -> dict[str, Any]:
    """Return what a JWT says, unverified: for a look at it, never for a decision; {} if it is no JWT."""
    body = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except ValueError:  # binascii.Error and UnicodeDecodeError are ValueErrors
        return {}
    return claims if isinstance(claims, dict) else {}


def sign_in_error(document: dict[str, Any], status: int | None, scrub: Scrub) -> DataverseClientError:
    """Return the error for `{"error", "error_description", "error_codes", "correlation_id"}`."""
    message = scrub(
        str(document.get("error_description") or document.get("error") or "").split("Trace ID:")[0]
    )
    numbers = document.get("error_codes")
    number = numbers[0] if isinstance(numbers, list) and numbers else None
    code = f"AADSTS{number}" if number else str(document.get("error") or "")
    request_id = str(document.get("correlation_id") or "")
    kind: type[DataverseClientError] = DataverseRefused
    if document.get("error") == "temporarily_unavailable":
        kind = DataverseUnavailable
    known = _REMEDIES.get(number) if isinstance(number, int) else None
    refused = noted("Microsoft's sign-in refuses the application.")
    sentence = f"{known} ({code})" if known else f"{refused} {message}".strip()
    return kind(sentence, status=status, code=code, message=message, request_id=request_id)


def _unreadable(answer: Answer) -> DataverseProtocolError:
    return DataverseProtocolError(
        noted("%(host)s answered the sign-in with something other than JSON.", host=answer.host),
        status=answer.status,
        request_id=answer.request_id,
    )
