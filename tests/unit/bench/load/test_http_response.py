"""Where an answer ends, however its bytes arrive, and what is no answer."""

import pytest

from bench.load.http_response import Response, ResponseError, ResponseReader

OK = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\ncontent-length: 2\r\n\r\n{}"


def read(data, reader=None):
    return (reader or ResponseReader()).feed(data)


def test_one_answer():
    assert read(OK) == Response(200, keep_alive=True)


def test_an_answer_in_two_reads():
    for cut in range(1, len(OK)):
        reader = ResponseReader()
        assert reader.feed(OK[:cut]) is None, cut
        assert reader.feed(OK[cut:]) == Response(200, keep_alive=True), cut


def test_an_answer_byte_by_byte():
    reader = ResponseReader()
    assert [reader.feed(OK[i : i + 1]) for i in range(len(OK))][-1] == Response(200, keep_alive=True)


def test_a_connection_carries_several_answers():
    reader = ResponseReader()
    assert [read(data, reader).status for data in (OK, BUSY, OK)] == [200, 503, 200]
    assert reader.end() is None


def test_an_error_status_is_an_answer():
    assert read(BUSY) == Response(503, keep_alive=True)


def test_an_empty_body():
    assert read(b"HTTP/1.1 504 Late\r\nContent-Length: 0\r\n\r\n").status == 504
    assert read(b"HTTP/1.1 204 None\r\n\r\n").status == 204


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: close\r\n", False),
        (b"1.1", b"Connection: Keep-Alive\r\n", True),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: Keep-Alive\r\n", True),
    ],
)
def test_whether_the_connection_is_kept(version, connection, kept):
    data = b"HTTP/" + version + b" 200 OK\r\n" + connection + b"Content-Length: 1\r\n\r\nx"
    assert read(data) == Response(200, keep_alive=kept)


def test_a_body_that_ends_with_the_connection():
    reader = ResponseReader()
    assert reader.feed(b"HTTP/1.1 200 OK\r\n\r\nsome") is None
    assert reader.feed(b" more") is None
    assert reader.end() == Response(200, keep_alive=False)


@pytest.mark.parametrize("cut", [1, 20, len(OK) - 1])
def test_an_answer_that_is_cut_off(cut):
    reader = ResponseReader()
    reader.feed(OK[:cut])
    with pytest.raises(ResponseError, match="within an answer"):
        reader.end()


def test_what_comes_before_the_answer_is_passed_over():
    assert read(b"HTTP/1.1 100 Continue\r\n\r\n" + OK).status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000,
    ],
    ids=["another protocol", "HTTP/2", "too many bytes", "no length", "chunked", "no end"],
)
def test_what_is_no_answer(data):
    with pytest.raises(ResponseError):
        read(data)
