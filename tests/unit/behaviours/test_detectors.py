"""Keywords, and what of a judge's answer is believed; the endpoint is a real server here."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.support.judge_server import says, serving
from zoo.behaviours.endpoint import Endpoint
from zoo.behaviours.judge_model import MAX_CHARS, SETTINGS, messages, parse
from zoo.behaviours.keywords import detect
from zoo.errors import InputError, StateError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Let\u2019s verify: 3 + 4 = 7.", {"verification"}),
        ("Plugging this back in gives 7.", {"verification"}),
        ("Wait, that is wrong. Let me try another way.", {"backtracking"}),
        ("First, we find the radius.", {"subgoal_setting"}),
        ("Case 1: n is even. Case 2: n is odd.", {"enumeration"}),
        ("The waiter checked in first class.", set()),
        ("The answer is 7.", set()),
    ],
)
def test_keywords_detect(text: str, found: set[str]) -> None:
    assert detect(text) == found


def test_keywords_take_no_time_over_hostile_text() -> None:
    begun = time.monotonic()
    detect("to solve this " * 100_000 + "let me " * 100_000)
    assert time.monotonic() - begun < 5


def test_judgement_is_read_and_quotes_are_looked_for() -> None:
    text = "```json\n" + says("verification", quote="I  check") + "\n```"
    found = parse(text, "Then I check it.")
    assert found.behaviours == {"verification"}
    assert not found.unquoted
    assert parse(says("verification", quote="never said"), "x").unquoted == {"verification"}
    assert parse(says(), "x").behaviours == frozenset()


@pytest.mark.parametrize(
    "reply",
    [
        "Sure! It verifies.",
        "[]",
        "{}",
        '{"behaviours": {}}',
        '{"behaviours": [], "more": 1}',
        '{"behaviours": ["verification"]}',
        says("reflection"),
        says("verification", "verification"),
        '{"behaviours": [{"name": "verification", "quote": 7}]}',
        '{"behaviours": [{"name": ["x"], "quote": ""}]}',
        "[" * 100_000,
    ],
)
def test_answer_of_another_form_is_refused(reply: str) -> None:
    with pytest.raises(ValueError, match=r"not|no JSON"):
        parse(reply, "x")


def test_long_response_is_cut_in_the_middle() -> None:
    asked = messages("p", "a" * MAX_CHARS + "b" * MAX_CHARS)[1]["content"]
    assert len(asked) < MAX_CHARS + 200
    assert asked.rstrip().endswith("b\n</response>")


def ask(url: str, **changes: Any) -> str:
    said = {"retries": 3, "backoff_s": 0.01, "timeout_s": 5} | changes
    return Endpoint(url, "m", **said).ask([{"role": "user", "content": "x"}], SETTINGS, _json)


def _json(reply: str) -> str:
    json.loads(reply)
    return reply


def test_failures_that_pass_are_tried_again() -> None:
    replies = [(503, {}, ""), (429, {"Retry-After": "0"}, ""), "no json", says()]
    with serving(lambda _: replies.pop(0)) as server:
        assert ask(server.url) == says()
        assert len(server.bodies) == 4
        assert server.bodies[0]["temperature"] == 0


def test_refusal_ends_at_once_and_names_no_key() -> None:
    body = json.dumps({"error": {"message": "bad key sk-secret"}})
    with serving(lambda _: (401, {}, body)) as server:
        with pytest.raises(StateError) as caught:
            ask(server.url, key="sk-secret")
        assert len(server.bodies) == 1
        assert server.headers[0]["Authorization"] == "Bearer sk-secret"
    assert "HTTP 401" in str(caught.value)
    assert "sk-secret" not in str(caught.value)


def test_key_does_not_follow_a_redirect() -> None:
    with serving(lambda _: says()) as other, serving(lambda _: "") as server:
        server.answer = lambda _: (302, {"Location": f"{other.url}/chat/completions"}, "")
        with pytest.raises(StateError, match="HTTP 302"):
            ask(server.url, key="sk-secret")
        assert other.headers == []


def test_endless_or_malformed_replies_end_after_all_retries() -> None:
    with serving(lambda _: (200, {}, "x" * (2**20 + 1))) as server:
        with pytest.raises(StateError, match="too long"):
            ask(server.url, retries=1)
        server.answer = lambda _: (200, {}, '{"choices": []}')
        with pytest.raises(StateError, match="no chat completion"):
            ask(server.url, retries=0)


def test_no_connection_is_an_error_of_the_endpoint() -> None:
    with serving(lambda _: "") as server:
        url = server.url
    with pytest.raises(StateError, match="2 attempts"):
        ask(url, retries=1)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("ftp://x/v1", "https://host/v1"),
        ("https://user:pw@x/v1", "a login"),
        ("http://example.org/v1", "plain http"),
    ],
)
def test_endpoint_that_would_leak_the_key_is_refused(url: str, found: str) -> None:
    with pytest.raises(InputError, match=found):
        Endpoint(url, "m", "sk-secret")
