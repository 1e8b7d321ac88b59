"""Several clouds that give each other profiles: by a folder that they share, or as siblings. An edge sends each once."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from kits.certificates import Certificates
from kits.cloud import Server, until
from kits.inference import infer, texts
from kits.tokens import Tokens, bearing

from bench.harness.process import free_port
from cloud.config import CloudSettings
from cloud.workers.channel import Message
from cloud.workers.sharing import Sharing
from shared.errors import SettingsError
from shared.process.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("gained")


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    with ExitStack() as running:
        yield lambda **settings: running.enter_context(Server(**settings))


def _siblings(*ports: int) -> str:
    return ",".join(f"http://127.0.0.1:{port}" for port in ports)


def test_a_profile_that_one_cloud_was_sent_another_finds_in_the_folder(
    start: Any, make: Any, framed: Any, tmp_path: Path
) -> None:
    profile = make()
    one, other = (start(profile_folder=str(tmp_path)) for _ in range(2))
    other.frame(framed(profile)).refused(424, "profile_missing")
    assert other.metric("profiles_brought_total", source="folder", result="missing") == 1
    assert one.put_profile(profile.data).status == 201
    other.service.profile_desk._missed.clear()  # it does not look again at once
    assert other.frame(framed(profile)).status == 200
    assert other.metric("profiles_brought_total", source="folder", result="taken") == 1
    assert other.metric("profiles_received_total") == 1
    # Whoever asks for it, as edges do before they send it, has it looked for as well.
    third = start(profile_folder=str(tmp_path))
    assert third.ask("HEAD", f"/profiles/{profile.name}").status == 200
    assert third.ask("GET", "/model").json["profiles"] == [profile.name]


def test_rows_of_one_request_wait_for_their_profile_as_frames_do(
    start: Any, make: Any, framed: Any, tmp_path: Path
) -> None:
    profile, path = make(), tmp_path / "ledger.jsonl"
    (folder := tmp_path / "profiles").mkdir()
    server = start(profile_folder=str(folder), ledger=str(path))
    rows = texts(framed(profile), framed(profile))
    infer(server, rows).refused(424, "profile_missing")
    assert start(profile_folder=str(folder)).put_profile(profile.data).status == 201
    server.service.profile_desk._missed.clear()  # it does not look again at once
    assert infer(server, rows).status == 200
    assert server.metric("profiles_brought_total", source="folder", result="taken") == 1
    lines = [json.loads(line)["outcome"] for line in path.read_text().splitlines()]
    assert lines[-2:] == ["answered", "answered"]
    assert lines.count("answered") == 2


def test_a_damaged_file_in_the_folder_is_told_and_replaced(
    start: Any, make: Any, framed: Any, tmp_path: Path, expect_log: pytest.LogCaptureFixture
) -> None:
    profile, server = make(), start(profile_folder=str(tmp_path))
    path = tmp_path / f"{profile.name}.safetensors"
    path.write_bytes(profile.data[:-1])
    server.frame(framed(profile)).refused(424, "profile_missing")
    assert server.metric("profile_folder_errors_total") == 1
    assert sum("not the profile of its name" in line for line in expect_log.messages) == 1
    assert server.put_profile(profile.data).status == 201
    until(path.exists)
    assert path.read_bytes() == profile.data


def test_a_folder_that_cannot_be_written_refuses_no_profile(
    start: Any, make: Any, framed: Any, tmp_path: Path, expect_log: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    server, profile = start(profile_folder=str(tmp_path / "file" / "below")), make()
    assert server.put_profile(profile.data).status == 201
    assert server.frame(framed(profile)).status == 200
    assert server.metric("profile_folder_errors_total") == 1
    assert sum("the folder of profiles" in line for line in expect_log.messages) == 1


def test_siblings_give_each_other_what_they_have(start: Any, make: Any, framed: Any) -> None:
    ports = [free_port() for _ in range(4)]
    given = _siblings(*ports)  # a cloud's own address is among them; at the last nobody listens
    clouds = [start(at=port, siblings=given) for port in ports[:3]]
    profile = make()
    clouds[0].frame(framed(profile)).refused(424, "profile_missing")
    assert clouds[1].put_profile(profile.data).status == 201
    assert clouds[2].frame(framed(profile)).status == 200
    assert clouds[2].metric("profiles_brought_total", source="sibling", result="taken") == 1
    assert clouds[0].ask("HEAD", f"/profiles/{profile.name}").status == 200
    assert [each.metric("profiles_received_total") for each in clouds] == [1, 1, 1]
    assert [each.metric("rejected_total", reason="profile_missing") for each in clouds] == [1, 0, 0]


def test_a_frame_that_waited_for_its_profile_has_one_line_in_the_ledger(
    start: Any, make: Any, framed: Any, tmp_path: Path
) -> None:
    profile, ledger = make(), tmp_path / "ledger.jsonl"
    port = free_port()
    giver = start(at=port, siblings=_siblings(port))
    assert giver.put_profile(profile.data).status == 201
    asker = start(siblings=_siblings(port), ledger=str(ledger))
    for number in (1, 2):
        assert asker.frame(framed(profile, frame_id=number)).status == 200
    asker.frame(framed(make(3.0), frame_id=3)).refused(424, "profile_missing")
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert [(int(line["frame_id"], 16), line["outcome"]) for line in lines] == [
        (1, "answered"),
        (2, "answered"),
        (3, "refused"),
    ]


def test_any_worker_has_the_file_of_a_profile_that_another_took(start: Any, make: Any) -> None:
    """A sibling's question may come to either."""
    profile, path = make(), f"/profiles/{make().name}/file"
    for settings, status in (({"siblings": _siblings(1)}, 200), ({}, 404)):
        worker = start(**settings)
        told = Sharing(worker.service).handle(Message("profile", {"client": "gate-3"}, profile.data))
        assert asyncio.run_coroutine_threadsafe(told, worker.loop).result(60) is None
        assert worker.ask("GET", path).status == status, settings


def test_siblings_that_ask_for_tokens_are_shown_one(
    start: Any, make: Any, framed: Any, tmp_path: Path
) -> None:
    tokens = Tokens(tmp_path / "tokens")
    shown = tmp_path / "token"
    port = free_port()
    giver = start(at=port, token_file=str(tokens.path), siblings=_siblings(port))
    profile = make()
    assert giver.ask("GET", f"/profiles/{profile.name}/file").status == 401
    edge = bearing(tokens.of["profiles"])
    assert giver.put_profile(profile.data, **edge).status == 201
    assert giver.ask("GET", f"/profiles/{profile.name}/file", **edge).body == profile.data
    assert giver.ask("GET", f"/profiles/{profile.name}/file", **bearing(tokens.of["frames"])).status == 403
    for right, status in (("metrics", 424), ("profiles", 200)):
        shown.write_text(tokens.of[right])
        asker = start(siblings=_siblings(port), siblings_token_file=str(shown))
        assert asker.frame(framed(profile)).status == status, right


def test_a_cloud_of_a_fleet_of_one_has_no_file_to_give(start: Any, make: Any) -> None:
    server, profile = start(), make()
    assert server.put_profile(profile.data).status == 201
    for path in (f"/profiles/{profile.name}/file", "/profiles/x/file", "/profiles//file"):
        server.ask("GET", path).refused(404, "http")
        assert server.ask("HEAD", path).status == 404, path


def test_addresses_of_siblings_are_addresses() -> None:
    for text in (
        "cloud:8881",
        "http://cloud",
        "http://u:p@cloud:1",
        "http://cloud:1/x",
        "http://cloud:1?x",
        "ftp://cloud:1",
        "http://cloud:99999",
        "http://a:1,,b",
    ):
        with pytest.raises(SettingsError, match="siblings"):
            read_settings(CloudSettings, {"siblings": text})
    settings = read_settings(CloudSettings, {"siblings": "http://a:1, https://[::1]:2,"})
    assert settings.sibling_urls() == ["http://a:1", "https://[::1]:2"]


def test_names_that_nobody_has_are_not_looked_for_without_end(start: Any, make: Any, framed: Any) -> None:
    ports = [free_port() for _ in range(2)]
    one, other = (start(at=port, siblings=_siblings(*ports)) for port in ports)
    for gain in range(30):
        one.frame(framed(make(1.0 + gain))).refused(424, "profile_missing")
    asked = other.metric("requests_total", endpoint="/profiles", code="404")
    assert 16 <= asked < 30
    for _ in range(5):
        one.frame(framed(make(1.0))).refused(424, "profile_missing")
    assert other.metric("requests_total", endpoint="/profiles", code="404") <= asked + 2


def test_siblings_check_each_other_by_certificate(
    start: Any, make: Any, tmp_path: Path, expect_log: pytest.LogCaptureFixture
) -> None:
    """A cloud shows its own where clients need one, and asks none that its CA has not signed."""
    expect_log.set_level("INFO")
    made, stranger = (Certificates.at(tmp_path / name) for name in ("made", "stranger"))
    profile = make()
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / f"{profile.name}.safetensors").write_bytes(profile.data)
    giver = start(profile_folder=str(folder), **made.cloud(mutual=True))
    for authority, text, brought in (
        (made, "is here, from a sibling", True),
        (stranger, "does not answer", False),
    ):
        asker = start(
            siblings=f"https://127.0.0.1:{giver.port}",
            siblings_ca=authority.path("cloud", "ca.crt"),
            **made.cloud(),
        )
        service = asker.service
        bringing = service.profile_desk.bring(
            profile.name, service.clients.account("edge", known=True), service.networks, 30.0
        )
        done = asyncio.run_coroutine_threadsafe(bringing, asker.loop)
        assert done.result(60) is brought, text
        assert any(text in line for line in expect_log.messages), text
