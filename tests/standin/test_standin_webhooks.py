"""The stand-in's webhooks: who is told of what, by which key, and what comes of it (use-webhooks)."""

import socket
import uuid

import pytest

from flask_app.standin import Standin
from tests.standin.standin_caller import Caller
from tests.standin.webhook_receiver import PATIENCE, serving

JOB = {"@odata.type": "Microsoft.Dynamics.CRM.imi_job"}


@pytest.fixture(scope="module")
def running():
    with Standin() as one:
        yield one


@pytest.fixture
def standin(running):
    """The one stand-in of this module, with nobody registered and nothing posted yet."""
    yield running
    running.webhooks.clear()
    assert running.webhooks.settled(PATIENCE)
    running.webhooks.deliveries.clear()
    running.webhooks.timeout = 60


@pytest.fixture(scope="module")
def caller(running):
    with Caller(running) as one:
        yield one


@pytest.fixture
def receiver():
    with serving() as server:
        yield server


def test_only_the_messages_registered_for_are_posted_each_to_everyone(standin, receiver):
    standin.webhooks.register(receiver.url, messages=["Delete"])
    standin.webhooks.register(f"{receiver.url}/2", messages=("Create", "Delete"))
    standin.delete(standin.add())
    posts = [receiver.next() for _ in range(3)]
    told = [(post.body["MessageName"], post.target) for post in posts]
    assert told == [("Create", "/hooks/jobs/2"), ("Delete", "/hooks/jobs"), ("Delete", "/hooks/jobs/2")]
    assert posts[1].body["OwningExtension"] != posts[2].body["OwningExtension"]


@pytest.mark.parametrize(
    ("way", "query"),
    [
        ({"key": "0001 &"}, "code=0001+%26"),
        ({"query": {"Key1": "Value1", "Key2": "ü"}}, "Key1=Value1&Key2=%C3%BC"),
        ({"headers": {"Key1": "Value1", "Key2": "Value2"}}, ""),
    ],
)
def test_a_post_authenticates_in_the_way_registered(standin, receiver, way, query):
    standin.webhooks.register(f"{receiver.url}?v=1", **way)
    standin.add()
    post = receiver.next()
    assert post.target == "/hooks/jobs?v=1" + ("&" if query else "") + query
    assert {name: post.headers[name] for name in way.get("headers", {})} == way.get("headers", {})


def change_set(*addresses):
    """Return the body of a batch whose one change set sets the contractor of each row."""
    head = "Content-Type: application/http\nContent-Transfer-Encoding: binary\n\n"
    write = 'If-Match: *\nContent-Type: application/json\n\n{"imi_gc": "Undone"}\n'
    parts = "".join(f"--c\n{head}PATCH {address} HTTP/1.1\n{write}" for address in addresses)
    return f"--b\nContent-Type: multipart/mixed; boundary=c\n\n{parts}--c--\n--b--\n".replace("\n", "\r\n")


def test_a_change_set_that_failed_is_told_to_nobody(standin, caller, receiver):
    row_id = standin.add(imi_gc="Before")
    standin.webhooks.register(receiver.url)
    body = change_set(*(f"/api/data/v9.2/imi_jobs({one})" for one in (row_id, uuid.uuid4())))
    kind = {"Content-Type": "multipart/mixed; boundary=b"}
    assert " 404 Not Found" in caller.send("POST", "$batch", data=body, headers=kind).text
    standin.change(row_id, imi_gc="Done")
    assert receiver.next().columns()["imi_gc"] == "Done"
    assert standin.webhooks.settled(PATIENCE)
    assert len(standin.webhooks.deliveries) == 1


def test_rows_written_together_are_told_one_by_one_under_one_correlation(standin, caller, receiver):
    standin.webhooks.register(receiver.url)
    targets = [JOB | {"imi_imnumber": one} for one in "12"]
    caller.send("POST", "imi_jobs/Microsoft.Dynamics.CRM.CreateMultiple", json={"Targets": targets})
    first, second = receiver.next(), receiver.next()
    assert [post.columns()["imi_imnumber"] for post in (first, second)] == ["1", "2"]
    assert first.body["CorrelationId"] == second.body["CorrelationId"]
    assert first.body["OperationId"] != second.body["OperationId"]


@pytest.mark.parametrize(
    ("answers", "status", "attempts"),
    [([204], 204, 1), ([503, 200], 200, 2), ([502, 504], 504, 2), ([500], 500, 1), ([302], 302, 1)],
)
def test_one_more_attempt_is_made_for_502_503_504_only(standin, receiver, answers, status, attempts):
    standin.webhooks.register(receiver.url, key="hush")
    receiver.answers = answers
    row_id = standin.add()
    assert standin.webhooks.settled(PATIENCE)
    (delivery,) = standin.webhooks.deliveries
    assert (delivery.status, delivery.attempts, delivery.failed) == (status, attempts, status >= 300)
    assert (delivery.url, delivery.message, delivery.row_id) == (receiver.url, "Create", row_id)
    assert receiver.posts.qsize() == attempts


def test_a_receiver_that_does_not_answer_in_time_has_failed_without_another_attempt(standin, receiver):
    standin.webhooks.timeout = 0.05
    standin.webhooks.register(receiver.url)
    receiver.free.clear()
    standin.add()
    assert standin.webhooks.settled(PATIENCE)
    (delivery,) = standin.webhooks.deliveries
    assert (delivery.status, delivery.attempts, delivery.failed) == (0, 1, True)
    assert delivery.error.startswith("TimeoutError")


def test_a_receiver_that_is_not_there_has_failed_and_the_next_one_is_told(standin, receiver):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    standin.webhooks.register(f"http://127.0.0.1:{port}/")
    standin.webhooks.register(f"{receiver.url}/a b")
    standin.webhooks.register(receiver.url, headers={"X-Key": "a\nb"})
    standin.webhooks.register(receiver.url)
    standin.add()
    receiver.next()
    assert standin.webhooks.settled(PATIENCE)
    errors = [delivery.error.partition(":")[0] for delivery in standin.webhooks.deliveries]
    assert errors == ["ConnectionRefusedError", "InvalidURL", "ValueError", ""]


def test_stopping_wakes_a_post_that_hangs_and_the_rest_is_posted_after_the_next_start(receiver):
    with Standin() as standin:
        standin.webhooks.register(receiver.url)
        receiver.free.clear()
        standin.add(imi_gc="first")
        standin.add(imi_gc="second")
        receiver.next()
    assert [delivery.failed for delivery in standin.webhooks.deliveries] == [True]
    receiver.free.set()
    with standin:
        assert receiver.next().columns()["imi_gc"] == "second"


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/hook", "https://localhost/hook", "http://localhost@shop.example/", "http://10.0.0.1/",
        "ftp://localhost/", "http://localhost.shop.example/", "//localhost/", "", "http://localhost:99999/",
    ],
)  # fmt: skip
def test_only_this_machine_may_be_posted_to(url):
    with pytest.raises(ValueError, match="this machine only|Port out of range"):
        Standin().webhooks.register(url)


@pytest.mark.parametrize("slip", [{"messages": ["Merge"]}, {"messages": []}, {"key": "1", "headers": {}}])
def test_a_registration_that_says_too_much_or_nothing_is_refused(slip):
    with pytest.raises(ValueError, match="webhook"):
        Standin().webhooks.register("http://localhost/", **slip)


def test_webhooks_are_registered_and_forgotten_from_outside(standin, caller, receiver):
    address = f"{standin.base_url}/standin/webhooks"
    order = {"url": receiver.url, "messages": ["Create"], "headers": {"X-Key": "hush"}}
    assert caller.send("POST", address, json=order).status_code == 204
    standin.add()
    assert receiver.next().headers["X-Key"] == "hush"
    assert caller.send("DELETE", address).status_code == 204
    standin.add()
    assert standin.webhooks.settled(PATIENCE)
    assert len(standin.webhooks.deliveries) == 1


@pytest.mark.parametrize(
    "order",
    [{}, {"url": "http://shop.example/"}, {"url": 5}, {"url": "http://localhost/", "headers": "Key1"}],
)
def test_an_order_from_outside_that_cannot_be_is_400(standin, caller, order):
    answer = caller.send("POST", f"{standin.base_url}/standin/webhooks", json=order)
    assert answer.status_code == 400


def test_each_post_is_logged_in_one_line_without_its_key(receiver):
    lines = []
    with Standin(log=lines.append) as standin:
        standin.webhooks.register(receiver.url, key="hush")
        standin.add()
        assert standin.webhooks.settled(PATIENCE)
    assert lines == [f"webhook Create {receiver.url} 200"]


def test_an_update_is_told_only_if_it_wrote_one_of_the_filtering_attributes(standin, receiver):
    row = standin.add()
    standin.webhooks.register(receiver.url, attributes=["imi_gc"])

    standin.change(row, imi_actualhours=2.0)
    standin.change(row, imi_gc="Marlowe Brothers")
    standin.delete(row)

    assert standin.webhooks.settled(PATIENCE)
    assert [one.message for one in standin.webhooks.deliveries] == ["Update", "Delete"]
