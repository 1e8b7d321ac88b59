"""What FFmpeg complains of is heard by the stream that it is about, and printed nowhere."""

from __future__ import annotations

import logging
import threading

import av

from edge.sources.video.decoder.complaints import Complaints, listen


def say(text, level=av.logging.ERROR):
    av.logging.log(level, "decoder", text)


def test_errors_are_heard_once_and_on_one_line(capfd, caplog):
    listen()
    listen()
    with Complaints(threads=1) as complaints:
        assert not complaints.taken()
        say("a block is\n damaged ")
        say("another")
        assert complaints.taken() == "a block is damaged"
        assert not complaints.taken()
        say("another")
        assert complaints.taken() == "another", "also if it is said again"
        say("a habit of this camera", av.logging.WARNING)
        assert not complaints.taken()
    assert not capfd.readouterr().err
    assert not caplog.records


def test_what_another_thread_reads_is_none_of_it():
    listen()
    with Complaints(threads=1) as mine, Complaints(threads=2) as several:
        thread = threading.Thread(target=say, args=("of somebody else",))
        thread.start()
        thread.join()
        assert not mine.taken()
        assert several.taken() == "of somebody else", "it may be FFmpeg's own thread"
        assert not several.taken()


def test_nothing_reaches_the_log_of_the_process():
    listen()
    heard = []
    handler = logging.Handler()
    handler.emit = heard.append
    logging.getLogger().addHandler(handler)
    try:
        say("rtsp://user:password@camera/ gave up")
    finally:
        logging.getLogger().removeHandler(handler)
    assert not heard
