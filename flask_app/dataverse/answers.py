"""What an HTTP answer means: its JSON, the wait that it asks for, and the error that it stands for."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, quote_plus

from flask_app.clock import utc_now
from flask_app.dataverse.errors import (
    DataverseClientError,
    DataverseConflict,
    DataverseProtocolError,
    DataverseRefused,
    DataverseUnavailable,
)
from flask_app.words import noted

Scrub = Callable[[str], str]

# 408 and the 5xx are passing faults by Microsoft's own retry policy; 429 is its throttling.
PASSING = frozenset({408, 429, 500, 502, 503, 504})

_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+(\.[\w-]*)?")
_PRIVILEGE = re.compile(r"\bprv\w+")
_LONGEST_MESSAGE = 400  # characters; enough for Dataverse's longest known sentence

# Dataverse's codes whose remedy is known (facts: section 1.3)
_REMEDIES = {
    "0x80072560": noted("The application user is not a member of this Dataverse organization; add it there."),
    "0x80095ffc": noted("Dataverse does not admit this application id; its administrator has to allow it."),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, read to its end. Header names are case-insensitive."""

    host: str
    status: int
    headers: Mapping[str, str]
    body: bytes | bytearray

    def json_object(self) -> dict[str, Any] | None:
        """Return the body's JSON object, or None if the body is anything else."""
        try:
            content = json.loads(self.body)
        except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
            return None
        return content if isinstance(content, dict) else None

    @property
    def request_id(self) -> str:
        """Return the service's own name for this request; some servers send the header twice."""
        for name in ("x-ms-service-request-id", "REQ_ID", "x-ms-request-id", "client-request-id"):
            if value := self.headers.get(name):
                return value.split(",")[0].strip()
        return ""

    @property
    def retry_after(self) -> float | None:
        """Return the seconds to wait that the answer asks for; None if it does not or nobody can tell."""
        asked = self.headers.get("Retry-After", "").strip()
        seconds = _seconds(asked)
        if seconds is None:
            seconds = self._seconds_until(asked)
        return seconds if seconds is not None and seconds > 0 else None

    def _seconds_until(self, date: str) -> float | None:
        """The server's own Date is the reference where there is one: the two clocks may differ."""
        try:
            then = parsedate_to_datetime(date)
            sent = self.headers.get("Date")
            return (then - (parsedate_to_datetime(sent) if sent else utc_now())).total_seconds()
        except (ValueError, TypeError, OverflowError):  # no date, or one without a zone
            return None


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None


def scrubber(*secrets: str) -> Scrub:
    """Return a function that makes a text fit to be shown: without secrets, tokens, half characters."""
    forms = {
        form for secret in secrets if secret for form in (secret, quote(secret, safe=""), quote_plus(secret))
    }
    longest_first = sorted(forms, key=len, reverse=True)

    def scrub(text: str) -> str:
        for form in longest_first:
            text = text.replace(form, "***")
        text = " ".join(_TOKEN.sub("***", text).split()).encode(errors="replace").decode()
        return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"

    return scrub


def error_for(answer: Answer, scrub: Scrub) -> DataverseClientError:
    """Return the error that an answer other than success stands for."""
    code, message = _code_and_message(answer)
    message = scrub(message)
    kind, sentence = _kind_and_sentence(answer, code, message)
    return kind(
        sentence,
        status=answer.status,
        code=code,
        message=message,
        request_id=answer.request_id,
        retry_after=answer.retry_after if kind is DataverseUnavailable else None,
    )


def _code_and_message(answer: Answer) -> tuple[str, str]:
    """Read `{"error": {"code", "message"}}`; an error page or an empty body has neither."""
    problem = (answer.json_object() or {}).get("error")
    if not isinstance(problem, dict):
        return "", ""
    return str(problem.get("code") or ""), str(problem.get("message") or "")


def _kind_and_sentence(answer: Answer, code: str, message: str) -> tuple[type[DataverseClientError], str]:
    host, status = answer.host, answer.status
    if status == 429:
        return DataverseUnavailable, _limited(answer)
    if status in (401, 403):
        return DataverseRefused, _refusal(answer, code, message)
    if 300 <= status < 400:
        return DataverseRefused, noted(
            "%(host)s sends us elsewhere (HTTP %(status)s); check the address of Dataverse.",
            host=host,
            status=status,
        )
    kind, sentence = _by_status(host, status)
    return kind, f"{sentence} {message}".strip()


def _limited(answer: Answer) -> str:
    if not answer.retry_after:
        return noted("%(host)s is limiting our requests for the moment (HTTP 429).", host=answer.host)
    return noted(
        "%(host)s is limiting our requests for the moment (HTTP 429); it asks for %(seconds)s seconds "
        "of rest.",
        host=answer.host,
        seconds=f"{answer.retry_after:.0f}",
    )


def _by_status(host: str, status: int) -> tuple[type[DataverseClientError], str]:
    if status in PASSING or status > 504:
        sentence = noted(
            "%(host)s is out of order for the moment (HTTP %(status)s).", host=host, status=status
        )
        return DataverseUnavailable, sentence
    if status == 404:
        return DataverseRefused, noted("%(host)s does not have what we asked for (HTTP 404).", host=host)
    if status == 412:
        sentence = noted("%(host)s did not save: the record has been changed or taken away since.", host=host)
        return DataverseConflict, sentence
    sentence = noted("%(host)s does not understand our request (HTTP %(status)s).", host=host, status=status)
    return DataverseProtocolError, sentence


def _refusal(answer: Answer, code: str, message: str) -> str:
    if missing := _PRIVILEGE.search(message):
        return noted(
            "%(host)s refuses us because the application user lacks the privilege %(missing)s; "
            "add it to the user's security role.",
            host=answer.host,
            missing=missing.group(),
        )
    if known := _REMEDIES.get(code.lower()):
        return known
    if answer.status == 401:
        return noted(
            "%(host)s does not accept our sign-in (HTTP 401); check that the application is a "
            "user of this Dataverse environment.",
            host=answer.host,
        )
    refused = noted("%(host)s refuses us (HTTP %(status)s).", host=answer.host, status=answer.status)
    return f"{refused} {message}".strip()
