"""Old conversations of a session are understood and said again word for word, for ever: `tests/golden/session/`.

`python tests/contract/test_golden_session.py` writes those that are missing and no others. If a test here fails, the code has broken the
session protocol: mend the code, not the file.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "session"

if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import pytest  # noqa: E402
from kits.conversations import CONVERSATIONS  # noqa: E402
from kits.session_reader import EdgesMessages, read_clouds  # noqa: E402
from kits.talking import WELCOME  # noqa: E402
from kits.transcripts import read_transcript, said_again  # noqa: E402

from shared.errors import WireError  # noqa: E402
from shared.wire.session.cloud import CloudConnection  # noqa: E402

every_conversation = pytest.mark.parametrize("name", CONVERSATIONS)


def file_of(name: str) -> Path:
    return GOLDEN / f"{name}.txt"


def test_every_conversation_has_its_file() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {file_of(name).name for name in CONVERSATIONS}


@every_conversation
def test_today_the_same_is_said_in_the_same_bytes(name: str) -> None:
    assert CONVERSATIONS[name]() == file_of(name).read_text(encoding="utf-8")


@every_conversation
def test_both_sides_understand_it_and_say_it_again(name: str) -> None:
    for lines in read_transcript(file_of(name)):
        said = [(line.who, line.data) for line in lines if line.who != "cut"]
        assert len(said) > 3
        assert said_again(lines) == said


@every_conversation
def test_a_reader_of_the_page_understands_it(name: str) -> None:
    for lines in read_transcript(file_of(name)):
        reader = EdgesMessages()
        for line in lines:
            if line.who != "cut":
                assert (reader.read if line.who == "edge" else read_clouds)(line.data) == line.said


def test_what_arrived_of_a_message_that_was_cut_is_none() -> None:
    (lines, _) = read_transcript(file_of("broken"))
    cloud = CloudConnection(streams=4, message_bytes=4096)
    cloud.welcome(WELCOME)
    for line in lines:
        if line.who == "edge":
            cloud.received(line.data)
    (cut,) = (line.data for line in lines if line.who == "cut")
    with pytest.raises(WireError):
        cloud.received(cut)


def test_the_conversations_hold_every_kind_of_message() -> None:
    said = {
        line.said["message"]
        for name in CONVERSATIONS
        for lines in read_transcript(file_of(name))
        for line in lines
        if line.said
    }
    assert len(said) == 10


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, write in CONVERSATIONS.items():
        if not file_of(name).exists():
            file_of(name).write_text(write(), encoding="utf-8")
            print(file_of(name).relative_to(ROOT))
