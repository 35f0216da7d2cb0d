"""The stand-in's service protection limits and its controls, over real HTTPS."""

import threading

import pytest

from flask_app.standin import Standin
from tests.standin.standin_caller import TIMEOUT, Caller


class Clock:
    """A clock that a test moves by hand; seconds."""

    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def standin():
    with Standin(generate=3) as running:
        yield running


@pytest.fixture
def caller(standin):
    with Caller(standin) as one:
        yield one


@pytest.fixture
def clock(standin):
    standin.limits.now = Clock()
    return standin.limits.now


def refusal(answer):
    return answer.status_code, answer.json()["error"]["code"]


def test_a_request_too_many_is_429_with_the_published_message(standin, caller):
    standin.limits.switch_on(requests=2)
    assert [caller.get("WhoAmI").status_code for _ in range(2)] == [200, 200]
    answer = caller.get("WhoAmI")
    assert refusal(answer) == (429, "0x80072322")
    assert answer.json()["error"]["message"] == (
        "Number of requests exceeded the limit of 2 over time window of 300 seconds."
    )
    assert answer.headers["Retry-After"] == "2"


def test_hammering_makes_the_wait_longer(standin, caller, clock):
    standin.limits.switch_on(requests=1)
    caller.get("WhoAmI")
    waits = [int(caller.get("WhoAmI").headers["Retry-After"]) for _ in range(4)]
    assert waits == [2, 4, 8, 16]


def test_waiting_as_told_is_enough(standin, caller, clock):
    standin.limits.switch_on(requests=1)
    caller.get("WhoAmI")
    clock.seconds += int(caller.get("WhoAmI").headers["Retry-After"])
    assert caller.get("WhoAmI").status_code == 200


def test_requests_leave_the_window_with_time(standin, caller, clock):
    standin.limits.switch_on(requests=2, window=10)
    caller.get("WhoAmI")
    clock.seconds += 11
    assert [caller.get("WhoAmI").status_code for _ in range(2)] == [200, 200]


def test_too_much_execution_time_is_429(standin, caller):
    standin.limits.switch_on(execution_seconds=0)
    assert refusal(caller.get("WhoAmI")) == (429, "0x80072321")


def test_too_many_requests_at_once_are_429(standin, caller):
    standin.limits.switch_on(concurrent=1)
    inside, leave = threading.Event(), threading.Event()

    def occupy():
        with standin.limits.request():
            inside.set()
            leave.wait(TIMEOUT)

    occupying = threading.Thread(target=occupy)
    occupying.start()
    inside.wait(TIMEOUT)
    answer = caller.get("WhoAmI")
    leave.set()
    occupying.join()
    assert refusal(answer) == (429, "0x80072326")
    assert answer.json()["error"]["message"] == "Number of concurrent requests exceeded the limit of 1."


def test_without_limits_nothing_is_refused(standin, caller):
    standin.limits.switch_on(requests=0)
    standin.limits.switch_off()
    assert caller.get("WhoAmI").status_code == 200


def test_what_is_left_is_told_in_the_headers_of_example_g7(standin, caller, clock):
    first, second = caller.get("WhoAmI"), caller.get("WhoAmI")
    assert first.headers["x-ms-ratelimit-time-remaining-xrm-requests"] == "1,200.00"
    assert first.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] == "5999"
    assert second.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] == "5998"
    assert first.headers["x-ms-dop-hint"] == "48"


def control(standin, caller, method, path="", **options):
    return caller.session.request(method, f"{standin.base_url}/standin/{path}", timeout=TIMEOUT, **options)


def test_faults_are_ordered_from_outside_without_a_token(standin, caller):
    order = {"fault": "throttle", "seconds": 9, "times": 1}
    assert control(standin, caller, "POST", "faults", json=order).status_code == 204
    assert caller.get("WhoAmI").headers["Retry-After"] == "9"


def test_faults_are_cleared_from_outside(standin, caller):
    standin.faults.fail(times=None)
    assert control(standin, caller, "DELETE", "faults").status_code == 204
    assert caller.get("WhoAmI").status_code == 200


def test_limits_are_switched_from_outside(standin, caller):
    control(standin, caller, "POST", "limits", json={"requests": 0})
    assert caller.get("WhoAmI").status_code == 429
    control(standin, caller, "POST", "limits", json={"on": False})
    assert caller.get("WhoAmI").status_code == 200


@pytest.mark.parametrize(
    "order", [{"fault": "explode"}, {"fault": "hang", "second": 3}, {"fault": "__init__"}, {}]
)
def test_an_order_that_makes_no_sense_is_refused(standin, caller, order):
    assert control(standin, caller, "POST", "faults", json=order).status_code == 400


def test_the_page_shows_the_faults_waiting_and_the_latest_requests(standin, caller):
    standin.faults.fail(status=502, times=4)
    caller.session.get(f"{standin.base_url}/<script>", timeout=TIMEOUT)
    page = control(standin, caller, "GET").text
    assert "holds 3 jobs" in page
    assert "answers 502" in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


def test_a_form_sent_by_a_web_page_is_refused(standin, caller):
    kind = {"Content-Type": "text/plain"}
    answer = control(standin, caller, "POST", "faults", data='{"fault": "fail"}', headers=kind)
    assert answer.status_code == 415
    assert caller.get("WhoAmI").status_code == 200


def test_a_foreign_host_name_is_refused(standin, caller):
    assert control(standin, caller, "GET", headers={"Host": "evil.example:443"}).status_code == 403


def test_an_unknown_control_is_404(standin, caller):
    assert control(standin, caller, "GET", "nothing").status_code == 404


def test_an_error_carries_the_details_of_example_g8_when_asked_for(caller):
    error = caller.get("imi_jobs?$skip=1", 'odata.include-annotations="*"').json()["error"]
    assert set(error) == {
        "code",
        "message",
        "@Microsoft.PowerApps.CDS.ErrorDetails.OperationStatus",
        "@Microsoft.PowerApps.CDS.ErrorDetails.SubErrorCode",
        "@Microsoft.PowerApps.CDS.HelpLink",
        "@Microsoft.PowerApps.CDS.TraceText",
        "@Microsoft.PowerApps.CDS.InnerError.Message",
    }
    assert error["@Microsoft.PowerApps.CDS.HelpLink"] == (
        "http://go.microsoft.com/fwlink/?LinkID=398563&error=Microsoft.Crm.CrmException%3a80060888&client=platform"
    )
