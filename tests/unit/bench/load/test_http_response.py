"""Where an answer ends, however its bytes arrive, and what is no answer."""

import asyncio

import pytest

from bench.load.connection import MAX_HEADER_BYTES, ExchangeError, Response, read_response

OK = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\ncontent-length: 2\r\n\r\n{}"


def read(*chunks, answers=1, ends=False):
    """The last of so many answers to be read from chunks of bytes that come one after another."""

    async def play():
        reader = asyncio.StreamReader(limit=MAX_HEADER_BYTES)

        async def feed():
            for chunk in chunks:
                reader.feed_data(chunk)
                await asyncio.sleep(0)
            if ends:
                reader.feed_eof()

        feeding = asyncio.create_task(feed())
        async with asyncio.timeout(60):
            found = [await read_response(reader) for _ in range(answers)]
            await feeding
        return found[-1]

    return asyncio.run(play())


def test_one_answer():
    assert read(OK) == Response(200, keep_alive=True, body=b"hello")


def test_an_answer_in_two_reads():
    for cut in range(1, len(OK)):
        assert read(OK[:cut], OK[cut:]) == Response(200, keep_alive=True, body=b"hello"), cut


def test_an_answer_byte_by_byte():
    assert read(*(OK[i : i + 1] for i in range(len(OK)))) == Response(200, keep_alive=True, body=b"hello")


def test_a_connection_carries_several_answers():
    for answers, status in ((1, 200), (2, 503), (3, 200)):
        assert read(OK, BUSY, OK, answers=answers).status == status


def test_an_error_status_is_an_answer():
    assert read(BUSY) == Response(503, keep_alive=True, body=b"{}")


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
    assert read(data) == Response(200, keep_alive=kept, body=b"x")


def test_a_body_that_ends_with_the_connection():
    chunks = b"HTTP/1.1 200 OK\r\n\r\nsome", b" more"
    assert read(*chunks, ends=True) == Response(200, keep_alive=False, body=b"some more")


def test_an_answer_that_is_cut_off():
    for cut in (1, 20, len(OK) - 1):
        with pytest.raises(ExchangeError, match="within an answer"):
            read(OK[:cut], ends=True)


def test_what_comes_before_the_answer_is_passed_over():
    assert read(b"HTTP/1.1 100 Continue\r\n\r\n" + OK).status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000,
    ],
    ids=["another protocol", "HTTP/2", "no length", "chunked", "no end"],
)
def test_what_is_no_answer(data):
    with pytest.raises(ExchangeError):
        read(data)


def test_more_bytes_than_the_length_spoil_the_next_answer():
    with pytest.raises(ExchangeError, match="not an HTTP answer"):
        read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!", OK, answers=2)
