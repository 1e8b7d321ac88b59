"""Requests to a camera: passwords, redirections, and what is said where it refuses."""

from __future__ import annotations

import hashlib
import re
import socket
import threading

import pytest
from kits.web_camera import asks_for_basic, send, web_camera

from edge.sources.live.address import read_address
from edge.sources.live.web.client import NotHttpError, StatusError, Web
from shared.errors import SourceError

LOGIN = "me:s%23 ret"


def web_of(url, *, open_timeout_s=30.0, read_timeout_s=30.0):
    return Web(read_address(url), open_timeout_s=open_timeout_s, read_timeout_s=read_timeout_s)


def body_of(url, **timeouts):
    web = web_of(url, **timeouts)
    try:
        head = web.get()
        return head, web.body(1 << 20)
    finally:
        web.close()


def fails(url, error=SourceError, **timeouts):
    with pytest.raises(error) as caught:
        body_of(url, **timeouts)
    message = str(caught.value)
    assert "\n" not in message
    assert "ret@" not in message
    return message


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def asks_for_digest(request):
    """As RFC 2617 has it, with `qop=auth`."""
    fields = dict(re.findall(r'(\w+)="?([^",]*)"?', request.headers.get("Authorization", "")))
    if fields:
        first, second = md5("me:camera:s# ret"), md5(f"GET:{request.path}")
        expected = md5(f"{first}:n1:{fields['nc']}:{fields['cnonce']}:auth:{second}")
        if fields["response"] == expected:
            return False
    send(request, status=401, WWW_Authenticate='Digest realm="camera", nonce="n1", qop="auth"')
    return True


def test_a_picture_and_what_it_is():
    def answer(request):
        assert "Authorization" not in request.headers, "nobody has asked"
        send(request, b"x" * 300_000, 'Multipart/X-Mixed-Replace; charset=x; boundary="--a b"')

    with web_camera(answer) as host:
        head, body = body_of(f"http://{LOGIN}@{host}/a?b=c%20d")
    assert (head.content_type, head.boundary, len(body)) == ("multipart/x-mixed-replace", "--a b", 300_000)


@pytest.mark.parametrize("kind", ["basic", "digest"])
def test_a_password_in_whatever_way_it_is_asked_for(kind):
    seen = []

    def answer(request):
        seen.append(request.headers.get("Authorization", "").partition(" ")[0])
        asked = asks_for_basic(request, "me:s# ret") if kind == "basic" else asks_for_digest(request)
        if not asked:
            send(request, b"x")

    with web_camera(answer) as host:
        web = web_of(f"http://{LOGIN}@{host}/x")
        for _ in range(2):
            web.get()
            assert web.body(10) == b"x"
        web.close()
        assert seen == ["", kind.title(), kind.title()], "the second request knows what is asked for"
        for login in ("me:wrong@", ""):
            message = fails(f"http://{login}{host}/x", StatusError)
            assert "it answers with status 401: it refuses user and password, or asks for them" in message


def test_a_password_goes_to_its_own_host_only():
    seen = []

    def elsewhere(request):
        seen.append(request.headers.get("Authorization"))
        send(request, b"x")

    def answer(request):
        if not asks_for_basic(request, "me:s# ret"):
            send(request, status=302, Location=f"http://{there}/x")

    with web_camera(elsewhere) as there, web_camera(answer) as host:
        body_of(f"http://{LOGIN}@{host}/x")
    assert seen == [None]


def test_redirections_are_followed_to_an_end():
    def answer(request):
        if request.path == "/end":
            send(request, b"there")
        else:
            send(request, status=307, Location="/loop" if request.path == "/loop" else "/end")

    with web_camera(answer) as host:
        assert body_of(f"http://{host}/x")[1] == b"there"
        assert "redirects to nowhere: TooManyRedirects" in fails(f"http://{host}/loop")


def test_a_status_is_named():
    status = 0
    with web_camera(lambda request: send(request, status=status)) as host:
        for status, text, lasting in (
            (403, "status 403: it does not allow this", True),
            (404, "status 404: it has no such path", True),
            (429, "status 429: Too Many Requests", False),
            (500, "status 500: Internal Server Error", False),
            (204, "status 204: No Content", False),
        ):
            with pytest.raises(StatusError, match=text) as caught:
                body_of(f"http://{host}/x")
            assert caught.value.lasting is lasting, status


def test_a_hint_about_the_address():
    with web_camera(lambda request: send(request, status=404)) as host:
        assert fails(f"http://{host}/a@b").endswith("; if `/` is part of a password, write %2F")


def test_what_cannot_be_reached():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        assert fails(f"http://127.0.0.1:{port}/x").endswith("cannot be reached: Connection refused")
    assert "no-such-host.invalid/x: cannot be reached: " in fails("http://no-such-host.invalid/x")


def test_silence_has_an_end():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://{LOGIN}@127.0.0.1:{listener.getsockname()[1]}/x"
        assert fails(url, read_timeout_s=0.05).endswith("no answer, or no more of it, for 0.05 s")
        web = web_of(url, read_timeout_s=3600)
        threading.Timer(0.05, web.interrupt).start()
        with pytest.raises(SourceError, match="is closed"):
            web.get()
        with pytest.raises(SourceError, match="is closed"):
            web.get()
        web.close()


def raw_answer(data):
    """The outcome of asking a server that answers with these bytes and hangs up."""

    def serve(listener):
        client, _ = listener.accept()
        with client:
            client.recv(4096)
            client.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        try:
            return body_of(f"http://127.0.0.1:{listener.getsockname()[1]}/x")[1]
        finally:
            thread.join(60)


def test_answers_that_are_cut_off_or_no_http():
    assert raw_answer(b"HTTP/1.0 200 OK\r\nContent-Type: image/jpeg\r\n\r\nuntil the end") == b"until the end"
    with pytest.raises(SourceError, match="hung up in the middle of an answer"):
        raw_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort")
    with pytest.raises(NotHttpError):
        raw_answer(b"ICY 200 OK\r\n\r\nold")


def test_an_endless_answer_is_not_kept():
    with web_camera(lambda request: send(request, bytes(2 << 20))) as host:
        assert fails(f"http://{host}/x").endswith("its answer is longer than 1 MiB")
