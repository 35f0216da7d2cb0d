"""The faults that can be ordered from the stand-in, met over real HTTPS."""

import threading

import pytest
import requests

from flask_app.standin import Standin
from tests.standin.standin_caller import Caller


@pytest.fixture
def standin():
    with Standin(generate=5) as running:
        yield running


@pytest.fixture
def caller(standin):
    with Caller(standin) as one:
        yield one


def statuses(caller, count):
    return [caller.get("WhoAmI").status_code for _ in range(count)]


@pytest.mark.parametrize("code", ["0x80072322", "0x80072321", "0x80072326"])
def test_throttling_answers_429_with_the_code_and_retry_after(standin, caller, code):
    standin.faults.throttle(seconds=7, code=code)
    answer = caller.get("WhoAmI")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.json()["error"]["code"] == code
    assert statuses(caller, 1) == [200]


@pytest.mark.parametrize("text", ["soon", "-1", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_retry_after_may_be_any_text(standin, caller, text):
    standin.faults.throttle(seconds=text)
    assert caller.get("WhoAmI").headers["Retry-After"] == text


def test_faults_are_met_in_the_order_of_their_ordering_and_run_out(standin, caller):
    standin.faults.fail(status=503, times=2)
    standin.faults.throttle()
    standin.faults.fail(status=500)
    assert statuses(caller, 5) == [503, 503, 429, 500, 200]


def test_clearing_forgets_the_faults(standin, caller):
    standin.faults.fail(times=None)
    assert statuses(caller, 2) == [503, 503]
    standin.faults.clear()
    assert statuses(caller, 1) == [200]


def test_a_failure_may_have_a_body_of_its_own(standin, caller):
    standin.faults.fail(status=502, body="<h1>Bad Gateway</h1>", content_type="text/html", retry_after=3)
    answer = caller.get("WhoAmI")
    assert (answer.status_code, answer.text) == (502, "<h1>Bad Gateway</h1>")
    assert (answer.headers["Content-Type"], answer.headers["Retry-After"]) == ("text/html", "3")


def test_a_failure_on_the_second_page_spares_the_first(standin, caller):
    standin.faults.fail(status=503, page=2)
    first = caller.get("imi_jobs", "odata.maxpagesize=2")
    second = caller.get(first.json()["@odata.nextLink"], "odata.maxpagesize=2")
    again = caller.get(first.json()["@odata.nextLink"], "odata.maxpagesize=2")
    assert [first.status_code, second.status_code, again.status_code] == [200, 503, 200]


def test_a_failing_token_endpoint_leaves_the_api_alone(standin, caller):
    standin.faults.fail(status=500, where="token")
    assert statuses(caller, 1) == [200]
    assert caller.ask_for_token().status_code == 500


def test_cut_json_cannot_be_read(standin, caller):
    standin.faults.cut_json()
    answer = caller.get("imi_jobs")
    assert answer.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_an_html_page_comes_with_status_200(standin, caller):
    standin.faults.html()
    answer = caller.get("imi_jobs")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_a_dropped_connection_is_no_answer(standin, caller):
    standin.faults.drop(times=1)
    with pytest.raises(requests.exceptions.ConnectionError):
        caller.get("WhoAmI")
    assert standin.requests[-1].status == 0
    assert statuses(caller, 1) == [200]


def test_a_trickling_body_arrives_whole_in_the_end(standin, caller):
    standin.faults.trickle(seconds_per_byte=0.0001)
    assert caller.get("WhoAmI").json()["UserId"]


def test_a_body_that_trickles_too_slowly_runs_into_the_callers_timeout(standin, caller):
    standin.faults.trickle(seconds_per_byte=30)
    with caller.session.get(
        f"{caller.root}/WhoAmI", headers=caller.headers, timeout=0.5, stream=True
    ) as answer:
        assert answer.status_code == 200
        with pytest.raises(requests.exceptions.ConnectionError, match="Read timed out"):
            answer.content  # noqa: B018 - reading the body is what is tried


@pytest.mark.parametrize("where", ["api", "token"])
def test_a_hanging_request_runs_into_the_callers_timeout(standin, caller, where):
    standin.faults.hang(where=where)
    path = "api/data/v9.2/WhoAmI" if where == "api" else f"{standin.tenant_id}/oauth2/v2.0/token"
    method = "GET" if where == "api" else "POST"
    with pytest.raises(requests.exceptions.ReadTimeout):
        caller.session.request(method, f"{standin.base_url}/{path}", timeout=0.05)


def test_clearing_wakes_what_hangs(standin, caller):
    standin.faults.hang()
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(caller.get("WhoAmI").status_code))
    waiting.start()
    arrived(standin)
    standin.faults.clear()
    waiting.join()
    assert answers == [200]


def test_stopping_ends_what_hangs_at_once():
    with Standin() as standin, Caller(standin) as caller:
        standin.faults.hang(seconds=60)
        ends: list[object] = []

        def wait():
            try:
                ends.append(caller.get("WhoAmI").status_code)
            except requests.exceptions.ConnectionError:
                ends.append("closed")

        waiting = threading.Thread(target=wait)
        waiting.start()
        arrived(standin)
        standin.stop()
        waiting.join(5)
        assert len(ends) == 1


def test_a_foreign_next_link_is_put_into_a_list(standin, caller):
    standin.faults.foreign_next_link("https://elsewhere.example/steal")
    assert caller.get("imi_jobs").json()["@odata.nextLink"] == "https://elsewhere.example/steal"
    assert "@odata.nextLink" not in caller.get("imi_jobs").json()


def test_a_repeating_next_link_leads_back_to_its_own_page(standin, caller):
    standin.faults.repeat_next_link()
    link = f"{caller.root}/imi_jobs?$select=imi_gc"
    for _ in range(3):
        assert caller.get(link).json()["@odata.nextLink"] == link


def arrived(standin):
    """Wait, without sleeping, until the hanging request is known to the stand-in."""
    seen = threading.Event()
    while not (standin.requests and standin.requests[-1].path.endswith("WhoAmI")):
        seen.wait(0.001)
