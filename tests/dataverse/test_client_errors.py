"""Errors: each tells what to do about it, in words for the shop's admin, and keeps the secrets."""

import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from flask_app.dataverse.client import (
    DataverseClientError,
    DataverseProtocolError,
    DataverseRefused,
    DataverseUnavailable,
)

from .cloud import DISCOVERY, JOBS, SECRET, TOKEN, Cloud, new_client


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


def failure(cloud: Cloud) -> DataverseClientError:
    """Return the error that reading the jobs ends in."""
    if not cloud.registered():
        cloud.sign_in()
    with pytest.raises(DataverseClientError) as caught:
        new_client(max_attempts=1).list_records("imi_jobs")
    return caught.value


def answer(cloud: Cloud, status: int, code: str = "", message: str = "", **headers: str) -> None:
    """Let Dataverse answer with an error."""
    cloud.sign_in()
    cloud.get(JOBS, status=status, json={"error": {"code": code, "message": message}}, headers=headers)


def sign_in_answers(cloud: Cloud, number: int, description: str, **more: Any) -> None:
    """Let the token endpoint answer with an error."""
    cloud.discover()
    body = {"error": "invalid_client", "error_description": description, "error_codes": [number], **more}
    cloud.post(TOKEN, status=401, json=body)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 520])
def test_an_ailing_service_is_to_be_tried_later(cloud: Cloud, status: int) -> None:
    answer(cloud, status)

    assert isinstance(failure(cloud), DataverseUnavailable)


@pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 404])
def test_a_refusal_is_to_be_settled_in_the_configuration(cloud: Cloud, status: int) -> None:
    answer(cloud, status, Location="https://elsewhere.example/")

    assert isinstance(failure(cloud), DataverseRefused)


def test_a_redirect_to_nowhere_is_still_a_redirect(cloud: Cloud) -> None:
    answer(cloud, 302, Location="https://[")

    assert failure(cloud).status == 302


@pytest.mark.parametrize("status", [400, 405, 410, 413, 418, 501])
def test_an_answer_that_nobody_expects_is_to_be_reported(cloud: Cloud, status: int) -> None:
    answer(cloud, status)

    assert isinstance(failure(cloud), DataverseProtocolError)


def test_an_error_carries_what_dataverse_said(cloud: Cloud) -> None:
    message = "Could not find a property named 'imi_gc' on type 'Microsoft.Dynamics.CRM.imi_job'."
    answer(cloud, 400, "0x80060888", message, **{"x-ms-service-request-id": "aaa, bbb"})

    error = failure(cloud)

    assert (error.status, error.code, error.message, error.request_id) == (400, "0x80060888", message, "aaa")
    assert str(error) == f"org.crm.dynamics.com does not understand our request (HTTP 400). {message}"


def test_a_missing_privilege_is_named(cloud: Cloud) -> None:
    message = "Principal user (Id=7, type=8) is missing prvReadimi_job privilege (Id=9) on OTC=10001"
    answer(cloud, 403, "0x80040220", message)

    assert "lacks the privilege prvReadimi_job;" in str(failure(cloud))


def test_a_user_who_is_no_member_is_told_apart(cloud: Cloud) -> None:
    answer(cloud, 403, "0x80072560", "The user is not a member of the organization.")

    assert "not a member of this Dataverse organization" in str(failure(cloud))


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"error": "no"}', '{"error": {"code": 7}}', "\x00"])
def test_an_error_without_a_readable_body_is_still_told(cloud: Cloud, body: str) -> None:
    cloud.sign_in()
    cloud.get(JOBS, status=403, body=body)

    assert str(failure(cloud)).startswith("org.crm.dynamics.com refuses us (HTTP 403).")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (7000215, "does not accept the client secret"),
        (7000222, "client secret has expired"),
        (700016, "does not know the client id"),
        (500011, "does not know the Dataverse address"),
        (53003, "refuses the application. AADSTS53003: Because."),
    ],
)
def test_a_refused_sign_in_says_what_to_change(cloud: Cloud, number: int, words: str) -> None:
    sign_in_answers(
        cloud, number, f"AADSTS{number}: Because. Trace ID: 1 Correlation ID: 2", correlation_id="2"
    )

    error = failure(cloud)

    assert isinstance(error, DataverseRefused)
    assert words in str(error)
    assert (error.code, error.request_id) == (f"AADSTS{number}", "2")


def test_the_sign_ins_trace_stays_out_of_the_sentence(cloud: Cloud) -> None:
    sign_in_answers(cloud, 53003, "AADSTS53003: Because. Trace ID: 1 Correlation ID: 2")

    assert str(failure(cloud)).endswith("AADSTS53003: Because.")


def test_a_sign_in_that_is_busy_is_to_be_tried_later(cloud: Cloud) -> None:
    sign_in_answers(cloud, 90033, "AADSTS90033: A transient error.", error="temporarily_unavailable")

    assert isinstance(failure(cloud), DataverseUnavailable)


@pytest.mark.parametrize("token", ["", "two\nlines", "m\u00fcnze", 7, None])
def test_a_token_that_cannot_be_sent_is_an_error(cloud: Cloud, token: object) -> None:
    cloud.discover()
    cloud.post(TOKEN, json={"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    failure(cloud)

    assert cloud.asked(JOBS) == []


def test_an_unknown_tenant_is_named_as_such(cloud: Cloud) -> None:
    body = {"error": "invalid_tenant", "error_description": "AADSTS90002: Tenant", "error_codes": [90002]}
    cloud.get(DISCOVERY, status=400, json=body)

    error = failure(cloud)

    assert isinstance(error, DataverseRefused)
    assert "does not know the tenant" in str(error)


@pytest.mark.parametrize("body", ["<html>", "", "[]", '{"access_token": "half'])
def test_a_sign_in_that_is_no_json_is_to_be_reported(cloud: Cloud, body: str) -> None:
    cloud.discover()
    cloud.post(TOKEN, body=body)

    assert isinstance(failure(cloud), DataverseProtocolError)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"authorization_endpoint": "x", "token_endpoint": None},
        {"authorization_endpoint": "x", "token_endpoint": "http://login.microsoftonline.com/tenant/token"},
    ],
)
def test_a_discovery_document_that_is_none_is_to_be_reported(cloud: Cloud, document: dict[str, Any]) -> None:
    cloud.get(DISCOVERY, json=document)

    assert isinstance(failure(cloud), DataverseProtocolError)


def test_a_sign_in_without_a_token_is_an_error(cloud: Cloud) -> None:
    cloud.discover()
    cloud.post(TOKEN, json={"token_type": "Bearer", "expires_in": 3600})

    assert isinstance(failure(cloud), DataverseProtocolError)

    assert cloud.asked(JOBS) == []


@pytest.mark.parametrize("form", [SECRET, "hush~hush%2F4%202", "hush~hush%2F4+2"])
def test_a_secret_that_is_echoed_is_blotted_out(cloud: Cloud, form: str) -> None:
    sign_in_answers(cloud, 7000000, f"AADSTS7000000: What is {form}?")

    error = failure(cloud)

    assert str(error).endswith("What is ***?")
    assert form not in repr(vars(error))


def test_half_a_character_does_not_spoil_the_message(cloud: Cloud) -> None:
    cloud.sign_in()
    cloud.get(JOBS, status=400, body='{"error": {"message": "What is \\ud83d?"}}')

    assert str(failure(cloud)).endswith("What is ??")


def test_a_token_that_is_echoed_is_blotted_out(cloud: Cloud) -> None:
    answer(cloud, 400, "x", "Who is eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2ln?")

    assert str(failure(cloud)).endswith("Who is ***?")


def test_neither_secret_nor_token_is_in_a_traceback(cloud: Cloud) -> None:
    cloud.sign_in("quite-secret-token")
    cloud.get(JOBS, body=requests.ConnectionError(f"{SECRET} quite-secret-token"))

    error = failure(cloud)

    assert error.__context__ is None
    text = "".join(traceback.format_exception(error))
    assert SECRET not in text
    assert "quite-secret-token" not in text


def test_a_network_fault_of_the_sign_in_brings_no_request_along(cloud: Cloud) -> None:
    cloud.discover()
    cloud.post(TOKEN, body=requests.ConnectionError(SECRET))

    error = failure(cloud)

    assert isinstance(error, DataverseUnavailable)
    assert error.__context__ is None
    assert SECRET not in "".join(traceback.format_exception(error))


def test_neither_secret_nor_token_is_logged(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    cloud.sign_in("quite-secret-token")
    cloud.page({"a": 1})

    new_client().list_records("imi_jobs")

    assert caplog.text
    assert SECRET not in caplog.text
    assert "quite-secret-token" not in caplog.text


def test_a_token_answer_that_is_cut_short_is_not_logged(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    cloud.discover()
    cloud.post(TOKEN, body='{"access_token": "quite-secret-token", "expi')

    failure(cloud)

    assert "quite-secret-token" not in caplog.text
