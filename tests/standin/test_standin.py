"""The stand-in's sign-in, its addresses, its jobs, its beginning and end, over real HTTPS."""

import json
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import msal
import pytest
import requests

from flask_app.standin import Standin
from tests.standin.standin_caller import TIMEOUT, Caller

ABSENT = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def standin():
    with Standin() as running:
        yield running


@pytest.fixture
def caller(standin):
    with Caller(standin) as one:
        yield one


def msal_application(standin, http, secret=None):
    return msal.ConfidentialClientApplication(
        standin.client_id,
        client_credential=secret or standin.client_secret,
        authority=f"{standin.authority}/{standin.tenant_id}",
        instance_discovery=False,
        http_client=http,
    )


def error_of(answer):
    return answer.status_code, answer.json()["error"]["code"]


def test_msal_signs_in_and_the_token_opens_the_api(standin, caller):
    scope = [f"{standin.base_url}/.default"]
    issued = msal_application(standin, caller.session).acquire_token_for_client(scope)
    caller.headers = {"Authorization": f"Bearer {issued['access_token']}"}
    assert issued["expires_in"] == 3599
    assert caller.get("WhoAmI").status_code == 200


def test_msal_reports_a_wrong_secret_as_aadsts7000215(standin, caller):
    application = msal_application(standin, caller.session, secret="wrong")
    answer = application.acquire_token_for_client([f"{standin.base_url}/.default"])
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [7000215])
    assert answer["error_description"].startswith("AADSTS7000215: Invalid client secret provided.")
    assert standin.requests[-1].status == 401


def test_an_unknown_tenant_has_no_discovery_document(standin, caller):
    answer = caller.session.get(
        f"{standin.authority}/{ABSENT}/v2.0/.well-known/openid-configuration", timeout=TIMEOUT
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_tenant")


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("scope", "https://elsewhere.example/.default", "invalid_scope"),
        ("client_id", ABSENT, "unauthorized_client"),
        ("grant_type", "password", "unsupported_grant_type"),
    ],
)
def test_a_token_request_that_is_wrong_in_one_field_is_refused(caller, field, value, error):
    answer = caller.ask_for_token(**{field: value})
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_each_start_has_a_secret_of_its_own():
    with Standin() as first, Standin() as second:
        assert first.client_secret != second.client_secret


def test_a_given_secret_is_kept():
    with Standin(client_secret="of-my-own") as standin:
        assert standin.environment()["DATAVERSE_CLIENT_SECRET"] == "of-my-own"


def test_a_request_without_a_token_is_challenged(standin, caller):
    answer = caller.get("WhoAmI", headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == (
        f"Bearer authorization_uri={standin.base_url}/{standin.tenant_id}/oauth2/authorize, "
        f"resource_id={standin.base_url}/"
    )


def test_expired_tokens_are_refused_and_a_new_one_is_taken(standin, caller):
    standin.faults.expire_tokens()
    assert caller.get("WhoAmI").status_code == 401
    caller.headers = {"Authorization": f"Bearer {caller.token()}"}
    assert caller.get("WhoAmI").status_code == 200


@pytest.mark.parametrize("address", ["WhoAmI", "WhoAmI()"])
def test_who_am_i_is_answered_as_in_example_g7(standin, caller, address):
    answer = caller.get(address)
    assert set(answer.json()) == {"@odata.context", "BusinessUnitId", "UserId", "OrganizationId"}
    assert answer.json()["@odata.context"] == f"{caller.root}/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse"
    assert answer.headers["Content-Type"] == "application/json; odata.metadata=minimal"
    assert (answer.headers["Cache-Control"], answer.headers["OData-Version"]) == ("no-cache", "4.0")
    assert answer.headers["REQ_ID"] in answer.headers["x-ms-service-request-id"].split(", ")
    assert len(answer.headers["x-ms-service-request-id"].split(", ")) == 2
    assert answer.cookies["ARRAffinity"]


def test_an_unknown_address_is_404_with_its_segment(caller):
    answer = caller.get("imi_jobz?$top=1")
    assert error_of(answer) == (404, "0x8006088a")
    assert answer.json()["error"]["message"] == "Resource not found for the segment 'imi_jobz'."


def test_an_address_outside_the_api_is_404(standin, caller):
    assert caller.get(f"{standin.base_url}/favicon.ico").status_code == 404


def test_an_address_that_cannot_be_read_is_400(standin, caller):
    context = ssl.create_default_context(cafile=standin.ca_bundle)
    port = int(standin.base_url.rpartition(":")[2])
    plain = socket.create_connection(("localhost", port), TIMEOUT)
    with plain, context.wrap_socket(plain, server_hostname="localhost") as secure:
        secure.sendall(b"GET http://[::1 HTTP/1.1\r\n\r\n")
        assert secure.recv(100).startswith(b"HTTP/1.1 400 ")


def test_a_method_that_does_not_fit_is_405(caller):
    assert caller.send("DELETE", "imi_jobs").status_code == 405


def test_the_requests_are_remembered_decoded_and_with_their_status(standin, caller):
    caller.get("imi_jobs?%24select=imi_gc&$filter=imi_gc+eq+%27A%27", "odata.maxpagesize=3")
    record = standin.requests[-1]
    assert (record.method, record.path, record.status) == ("GET", "/api/data/v9.2/imi_jobs", 200)
    assert record.query == {"$select": "imi_gc", "$filter": "imi_gc eq 'A'"}
    assert record.headers["prefer"] == "odata.maxpagesize=3"


def test_generated_jobs_are_the_same_for_the_same_seed():
    first, second, other = Standin(generate=40), Standin(generate=40), Standin(generate=40, seed=8)
    assert first.rows() == second.rows() != other.rows()


def test_most_generated_jobs_are_approved_and_their_numbers_ascend():
    rows = Standin(generate=1000).rows()
    numbers = [row["imi_imnumber"] for row in rows]
    approved = [row for row in rows if (row["imi_submittalstatus"], row["statecode"]) == (826130004, 0)]
    assert 550 < len(approved) < 680
    assert numbers == sorted(set(numbers))
    assert {len(number) for number in numbers} == {4}
    assert any(row["statecode"] == 1 for row in rows)


def test_a_connection_is_kept_alive_from_one_request_to_the_next(standin, caller):
    for _ in range(3):
        caller.get("WhoAmI")
    pool = caller.session.get_adapter("https://").poolmanager.connection_from_url(standin.base_url)
    assert pool.num_connections <= 1


def test_a_connection_that_never_shakes_hands_blocks_nobody(standin, caller):
    with socket.create_connection(("127.0.0.1", int(standin.base_url.rpartition(":")[2]))):
        assert caller.get("WhoAmI").status_code == 200


def test_a_caller_that_distrusts_the_certificate_harms_nobody(standin, caller, capfd):
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(standin.base_url, timeout=TIMEOUT)
    assert caller.get("WhoAmI").status_code == 200
    assert capfd.readouterr().err == ""


def test_stopping_closes_idle_connections_and_the_port(tmp_path):
    with Standin(directory=tmp_path) as standin, Caller(standin) as caller:
        caller.get("WhoAmI")
        standin.stop()
        with pytest.raises(requests.exceptions.ConnectionError):
            caller.get("WhoAmI")


def test_the_certificate_in_a_temporary_directory_is_gone_afterwards():
    with Standin() as standin:
        certificate = Path(standin.ca_bundle)
        assert certificate.exists()
    assert not certificate.exists()


def test_many_callers_at_once_are_all_answered(standin):
    standin.add()
    statuses = []

    def read():
        with Caller(standin) as one:
            statuses.append(one.get("imi_jobs").status_code)

    threads = [threading.Thread(target=read) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 12


def test_the_command_prints_the_environment_and_logs_each_request(tmp_path):
    jobs = tmp_path / "jobs.json"
    jobs.write_text(json.dumps([{"imi_imnumber": "4555"}]))
    command = [sys.executable, "-m", "flask_app.standin", "--jobs", str(jobs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        environment = dict(process.stdout.readline().strip().split("=", 1) for _ in range(6))
        answer = requests.get(
            f"{environment['DATAVERSE_BASE_URL']}/api/data/v9.2/WhoAmI",
            verify=environment["DATAVERSE_CA_BUNDLE"],
            timeout=TIMEOUT,
        )
        process.terminate()
        log = process.stderr.read()
    assert set(environment) == {
        f"DATAVERSE_{name}"
        for name in ("BASE_URL", "TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "AUTHORITY", "CA_BUNDLE")
    }
    assert answer.status_code == 401
    assert "GET /api/data/v9.2/WhoAmI 401" in log
