"""The flags of `python -m bench attack`, and what its attacks are."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from bench.attack.attacks.known import ATTACKS
from bench.attack.command import ATTACKER, HONEST, RIGHTS, AttackOptions
from bench.attack.target import Target, together
from bench.harness.keys import WATCHER, Keys
from shared.security.rights import Right
from shared.security.tokens.keyring import parse_tokens
from shared.wire import frame as wire

if TYPE_CHECKING:
    from pathlib import Path

MODEL = {
    "fingerprint": "00112233aabbccdd",
    "default_split_point": "layer4",
    "split_points": {"input": [3, 8, 8], "layer4": [4, 2, 2], "pyramid": [[2, 2], [3, 3]]},
}


class Offline(Target):
    """A target that is not asked what it runs."""

    def __init__(self) -> None:
        self.url, self.token, self.ca, self.sent = "http://127.0.0.1:1", "sdn_x", None, Counter()
        self.parts, self.tls, self.model = urlsplit(self.url), None, MODEL


def test_all_attacks_are_made_unless_some_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert AttackOptions.read([]).chosen() == list(ATTACKS)
    assert AttackOptions.read(["--attacks", "logins, heavy frames"]).chosen() == ["logins", "heavy frames"]
    with pytest.raises(SystemExit):
        AttackOptions.read(["--attacks", "flood"])
    assert "flood: there are heavy frames" in capsys.readouterr().err


def test_quick_is_one_round() -> None:
    quick = AttackOptions.read(["--quick"])
    assert (quick.rounds, quick.seconds) == (1, 4.0)
    assert AttackOptions.read(["--quick", "--rounds", "2"]).rounds == 2


def test_each_attack_goes_on_by_itself_and_says_what_it_is() -> None:
    for name, attack in ATTACKS.items():
        assert iscoroutinefunction(attack.run), name
        assert attack.run.__doc__, name
    assert [name for name, attack in ATTACKS.items() if attack.tls] == ["handshakes"]
    assert [name for name, attack in ATTACKS.items() if attack.files] == ["no descriptors"]


def test_each_client_has_a_token_of_its_own_and_no_right_too_many(tmp_path: Path) -> None:
    keys = Keys.make(tmp_path, (), RIGHTS)
    ring = parse_tokens((tmp_path / "tokens").read_text(encoding="utf-8"))
    rights = {name: ring.of_token(keys.token(name)).rights for name in RIGHTS}  # type: ignore[union-attr]
    assert rights[HONEST] == {Right.FRAMES, Right.PROFILES}
    assert rights[ATTACKER] == {Right.FRAMES, Right.PROFILES, Right.BUNDLES, Right.JSON}
    assert rights[WATCHER] == {Right.METRICS}
    assert len(keys.cloud_flags(tls=False)) == 1
    assert [flag.partition("=")[0] for flag in keys.cloud_flags()] == [
        "--certificate",
        "--key",
        "--token-file",
    ]


def test_a_frame_is_one_that_the_cloud_would_take_and_has_another_id_each_time() -> None:
    target = Offline()
    assert list(target.shapes) == ["input", "layer4"]  # where one tensor crosses
    requests = [target.post(target.frame("layer4")) for _ in range(2)]
    ids = set()
    for each in requests:
        header, _, body = each.partition(b"\r\n\r\n")
        assert header.startswith(
            b"POST /model HTTP/1.1\r\nHost: 127.0.0.1:1\r\nAuthorization: Bearer sdn_x\r\n"
        )
        assert f"Content-Length: {len(body)}".encode() in header
        frame = wire.unpack(body)
        assert (frame.split_point, frame.tensor.shape) == ("layer4", (4, 2, 2))
        assert frame.fingerprint == bytes.fromhex("00112233aabbccdd")
        ids.add(frame.frame_id)
    assert len(ids) == 2


def test_a_question_has_no_length_and_another_token_if_it_is_given() -> None:
    asked = Offline().request("GET", "/model", token="other")
    assert asked == b"GET /model HTTP/1.1\r\nHost: 127.0.0.1:1\r\nAuthorization: Bearer other\r\n\r\n"


def test_an_attack_that_loses_its_connections_goes_on() -> None:
    begun: list[Any] = []

    async def one() -> None:
        begun.append(None)
        if len(begun) > 5:
            raise struct.error
        raise ConnectionResetError

    async def scenario() -> None:
        with pytest.raises(ExceptionGroup):
            await together(2, one)

    asyncio.run(scenario())
    assert len(begun) > 5
