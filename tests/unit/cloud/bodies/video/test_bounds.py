"""What the process of a video may take is bounded: time, memory, files; and nothing that it says is believed unchecked."""

from __future__ import annotations

import select
import socket
import sys
import textwrap
from pathlib import Path

import pytest
from kits.videos import Room, encoded, moving, run, take

from cloud.bodies.video import stream as stream_module
from cloud.bodies.video.messages import DECODED, MISSING, QUESTION, REFUSED, Answer, Question
from cloud.bodies.video.process import Nursery
from shared.codecs import NAMES
from shared.errors import ContentError, DeadlineError, StateMissingError, UnavailableError
from shared.limits import MAX_VIDEO_EXTRA_BYTES, MAX_VIDEO_PIXEL_BYTES

H264 = NAMES["h264"]
PICTURES = moving(2)
FRAMES = encoded("h264", PICTURES)
SHAPE = PICTURES[0].shape


def nursery(work: str) -> Nursery:
    """One whose processes do this with their `connection`."""
    lines = textwrap.indent(textwrap.dedent(work), "    ")
    program = (
        "import os, socket, sys, time\nfrom cloud.bodies.video import nursery, worker\n"
        "from cloud.bodies.video.messages import ANSWER, DECODED, QUESTION\n"
        f"def work(connection):\n{lines}\nnursery.serve(socket.socket(fileno=0), work)\n"
    )
    root = str(Path(stream_module.__file__).parents[3])
    return Nursery([sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r})\n{program}"])


@pytest.mark.slow
def test_a_picture_that_takes_too_long_is_refused_and_its_process_ended(monkeypatch) -> None:
    monkeypatch.setattr(stream_module, "MAX_VIDEO_FRAME_S", 0.2)

    async def check(room: Room) -> None:
        stream = room.open()
        with pytest.raises(ContentError, match=r"took more than 0\.2 s"):
            await take(stream, H264, FRAMES[0], SHAPE)
        assert (room.lost("late"), room.streams()) == (1, 0)
        assert stream.account.spent[-1] >= 0.2
        with pytest.raises(StateMissingError):
            await take(stream, H264, FRAMES[1], SHAPE)
        with pytest.raises(DeadlineError):
            await stream.decode(H264.id, *FRAMES[0], SHAPE, 0.05)
        assert room.streams() == 0

    run(check, nursery=nursery("connection.recv(1)\ntime.sleep(60)"))


@pytest.mark.slow
def test_what_a_process_says_is_checked() -> None:
    size = 3 * 48 * 64
    lies = {
        "another size": f"ANSWER.pack(DECODED, 0.0, {size - 1}) + bytes({size - 1})",
        "more than is read": f"ANSWER.pack(DECODED, 0.0, 4_000_000_000) + bytes({size})",
        "no kind": "ANSWER.pack(9, 0.0, 0)",
        "a refusal of a gigabyte": "ANSWER.pack(1, 0.0, 1 << 30)",
        "time that is no number": f"ANSWER.pack(DECODED, float('nan'), {size}) + bytes({size})",
    }
    for name, answer in lies.items():

        async def check(room: Room, name: str = name) -> None:
            with pytest.raises(ContentError, match="ended the process"):
                await take(room.open(), H264, FRAMES[0], SHAPE)
            assert (room.lost("died"), room.streams()) == (1, 0), name

        run(check, nursery=nursery(f"connection.recv(1)\nconnection.sendall({answer})\ntime.sleep(60)"))


@pytest.mark.slow
def test_what_it_charges_is_no_more_than_has_passed() -> None:
    size = 3 * 48 * 64

    async def check(room: Room) -> None:
        stream = room.open()
        await take(stream, H264, FRAMES[0], SHAPE)
        assert stream.account.spent[-1] < 60

    run(
        check,
        nursery=nursery(
            f"connection.recv(1)\nconnection.sendall(ANSWER.pack(DECODED, 1e9, {size}) + bytes({size}))\ntime.sleep(60)"
        ),
    )


@pytest.mark.slow
def test_memory_and_files_are_bounded() -> None:
    allowed = MAX_VIDEO_EXTRA_BYTES + MAX_VIDEO_PIXEL_BYTES * 48 * 64

    async def check(room: Room) -> None:
        with pytest.raises(ContentError, match="MemoryError OSError"):
            await take(room.open(), H264, FRAMES[0], SHAPE)

    work = f"""
    question = QUESTION.unpack(worker._read(connection, QUESTION.size))
    worker._read(connection, question[4])
    worker._confine()
    worker._bound_memory(48 * 64)
    kept, failed = bytearray({allowed // 2}), []
    try:
        bytearray({allowed})
    except MemoryError as error:
        failed.append(type(error).__name__)
    try:
        found = [os.pipe() for _ in range(20)]
    except OSError as error:
        failed.append(type(error).__name__)
    text = " ".join(failed).encode()
    connection.sendall(ANSWER.pack(1, 0.0, len(text)) + text)
    """
    run(check, nursery=nursery(work))


@pytest.mark.slow
def test_no_process_is_no_fault_of_the_picture(caplog) -> None:
    async def check(room: Room) -> None:
        with pytest.raises(UnavailableError, match="could be started"):
            await take(room.open(), H264, FRAMES[0], SHAPE)

    run(check, nursery=Nursery([sys.executable, "-c", "raise SystemExit"]))
    assert any("no process for a video" in record.getMessage() for record in caplog.records)


@pytest.mark.slow
def test_a_process_whose_cloud_has_gone_ends() -> None:
    async def check(room: Room) -> None:
        stream = room.open()
        await take(stream, H264, FRAMES[0], SHAPE)
        process = stream._process
        process._connection.shutdown(socket.SHUT_RDWR)  # as the end of the cloud does
        assert select.select([process._handle], [], [], 60)[0], "it goes on"

    run(check)


def test_an_answer_is_one() -> None:
    for kind, length in ((DECODED, 12), (REFUSED, 0), (MISSING, 2000)):
        Answer(kind, 0.1, length).check(12)
    for answer in (
        Answer(DECODED, 0.1, 11),
        Answer(REFUSED, 0.1, 2001),
        Answer(3, 0, 0),
        Answer(DECODED, -1, 12),
    ):
        with pytest.raises(ValueError, match="no answer"):
            answer.check(12)
    assert isinstance(Answer(MISSING, 0, 1).error(b"x\ny"), StateMissingError)
    assert str(Answer(REFUSED, 0, 1).error(b"one\n\xfftwo")) == "one �two"


def test_a_question_is_one() -> None:
    good = Question(68, keyframe=True, height=48, width=64, length=100, seconds=2.0)
    good.check()
    assert Question._make(QUESTION.unpack(QUESTION.pack(*good))) == good
    for bad in (
        good._replace(length=1 << 30),
        good._replace(height=60000, width=60000),
        good._replace(width=0),
    ):
        with pytest.raises(ValueError, match="no question"):
            bad.check()
