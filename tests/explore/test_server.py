"""Who may ask the server what."""
import http.client
import json

import numpy as np
import pytest

from tests.explore import subjects
from tests.explore.browser import serving


@pytest.fixture(scope="module")
def server():
    with serving(subjects.digits(subjects.sequential)) as server:
        yield server


def request(server, method, path, body=None, **headers):
    """(status, text) of a request; the Host and the Origin are the right ones unless they are given, None for none."""
    host = f"127.0.0.1:{server.server_port}"
    headers = {"Host": host, "Origin": f"http://{host}", **{name.replace("_", "-"): v for name, v in headers.items()}}
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.putrequest(method, path, skip_host=True)
    content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    for name, value in {**headers, **({} if content is None else {"Content-Length": str(len(content))})}.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders(content)
    response = connection.getresponse()
    text = response.read().decode(errors="replace")
    connection.close()
    return response.status, text


def test_the_page_and_its_questions_are_answered(server):
    status, text = request(server, "GET", f"/{server.token}/", Origin=None)
    assert status == 200 and "<title>tinycnn explore</title>" in text and len(text) < 1_000_000
    assert request(server, "POST", f"/{server.token}/open", {"tab": "a"})[0] == 200
    status, text = request(server, "POST", f"/{server.token}/look", {"tab": "a", "pixels": [0] * 64, "label": 1})
    assert status == 200 and '"label": 1' in text


@pytest.mark.parametrize("method, path, headers, reason", [
    ("GET", "/", {}, "token"), ("GET", "/wrong/", {}, "token"), ("POST", "/wrong/open", {}, "token"),
    ("GET", "/TOKEN/", {"Host": "example.org"}, "127.0.0.1 and localhost only"),
    ("POST", "/TOKEN/open", {"Host": "example.org:80", "Origin": "http://example.org:80"}, "127.0.0.1 and localhost only"),
    ("GET", "/TOKEN/", {"Host": "127.0.0.1"}, "127.0.0.1 and localhost only"),
    ("GET", "/TOKEN/", {"Origin": "http://example.org"}, "only the page itself"),
    ("POST", "/TOKEN/open", {"Origin": "http://example.org"}, "only the page itself"),
    ("POST", "/TOKEN/open", {"Origin": "null"}, "only the page itself"),
    ("POST", "/TOKEN/open", {"Origin": None}, "only the page itself")])
def test_a_request_from_elsewhere_is_refused_with_a_reason(server, method, path, headers, reason):
    body = {"tab": "a"} if method == "POST" else None
    status, text = request(server, method, path.replace("TOKEN", server.token), body, **headers)
    assert status == 403 and reason in text and server.token not in text


@pytest.mark.parametrize("path", ["/etc/passwd", "/../setup.cfg", "/style.css", "/%2e%2e/"])
def test_there_is_nothing_but_the_page(server, path):
    status, text = request(server, "GET", f"/{server.token}{path}")
    assert status == 404 and "nothing else" in text


@pytest.mark.parametrize("question, body, words", [
    ("open", b"{", "Expecting"), ("open", b"[]", "must be a JSON object"), ("steal", {"tab": "a"}, "none of open, look"),
    ("look", {"tab": "a", "pixels": [1, 2]}, "64 finite numbers"), ("look", {"tab": "a", "pixels": "all"}, ""),
    ("look", {"tab": "a", "pixels": [0] * 64, "label": 99}, "0 to 9"), ("step", {"tab": "a", "lr": "much"}, "lr must"),
    ("difference", {"tab": "a", "name": "x", "index": 0}, "no parameter")])
def test_bad_questions_are_answered_in_words(server, question, body, words):
    request(server, "POST", f"/{server.token}/open", {"tab": "a"})
    request(server, "POST", f"/{server.token}/look", {"tab": "a", "pixels": [0] * 64})
    status, text = request(server, "POST", f"/{server.token}/{question}", body)
    assert status == 400 and words in text and "Traceback" not in text


def test_a_question_without_a_length_or_with_too_great_a_one_is_not_read(server):
    for length in (None, "999999999999", "-1", "x"):
        status, text = request(server, "POST", f"/{server.token}/open", Content_Length=length)
        assert status == 400 and "length" in text


def test_a_fifth_tab_takes_the_place_of_the_oldest_which_is_told(server):
    for tab in "12345":
        assert request(server, "POST", f"/{server.token}/open", {"tab": tab})[0] == 200
    status, text = request(server, "POST", f"/{server.token}/look", {"tab": "1", "pixels": [0] * 64})
    assert status == 410 and "load the page again" in text
    assert request(server, "POST", f"/{server.token}/look", {"tab": "5", "pixels": [0] * 64})[0] == 200


def test_tabs_have_networks_of_their_own(server):
    def loss(tab):
        text = request(server, "POST", f"/{server.token}/look", {"tab": tab, "pixels": [5] * 64, "label": 1})[1]
        return text
    for tab in ("one", "two"):
        request(server, "POST", f"/{server.token}/open", {"tab": tab})
    before = loss("two")
    loss("one")
    assert request(server, "POST", f"/{server.token}/step", {"tab": "one", "lr": 1})[0] == 200
    assert loss("two") == before != loss("one")


def test_only_this_machine_is_listened_to(server):
    assert server.server_address[0] == "127.0.0.1"


def test_numbers_that_are_none_travel_too():
    subject = subjects.digits(subjects.sequential)
    subject.model[0].weight.array[0, 0, 0, 0] = np.nan
    with serving(subject) as server:
        request(server, "POST", f"/{server.token}/open", {"tab": "a"})
        status, _ = request(server, "POST", f"/{server.token}/look", {"tab": "a", "pixels": [1] * 64})
        assert status == 200
