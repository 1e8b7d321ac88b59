"""`GET /bundle/{fingerprint}`: the network as data, if the cloud may give it away."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from kits.cloud import Response, request, until
from kits.followed import Followed, followed

from cloud.http import bundle as module
from cloud.networks.transfers import MAX_TRANSFERS, MAX_TRANSFERS_A_CLIENT
from shared.network.manifest import FILES, parse_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLD, NEW = b"old.....", b"new....."
CONSTANTS = os.urandom(1_000_003)
AT = f"/bundle/{OLD.hex()}"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    """For tests that leave it as it was."""
    path = tmp_path_factory.mktemp("served") / "bundle"
    with followed(path, OLD, bundle={"network.bin": CONSTANTS}, serve_bundle=True) as server:
        yield server


def quoted(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()}"'


def test_by_default_nothing_is_given_away(tmp_path: Path) -> None:
    with followed(tmp_path / "bundle", OLD) as closed:
        for path in (AT, f"{AT}/network.bin", "/bundle/0000000000000000", "/bundle/nothing"):
            refusal = closed.ask("GET", path).refused(403, "bundle_not_served")
            assert "--serve-bundle" in refusal["accepted"]
        assert closed.metric("rejected_total", reason="bundle_not_served") == 4
        assert closed.ask("GET", "/model").json["bundle"]["served"] is False


def test_the_manifest_is_given_as_it_is_stored_and_the_files_are_those_it_names(cloud: Followed) -> None:
    said = cloud.ask("GET", "/model").json
    answer = cloud.ask("GET", f"/bundle/{said['fingerprint']}")
    assert (answer.status, answer.body) == (200, (cloud.path / "bundle.json").read_bytes())
    assert answer.headers["etag"] == quoted(answer.body)
    manifest = parse_manifest(answer.body, "what came")
    before = cloud.metric("bundle_transfers_total", result="complete")
    total = 0
    for name, entry in manifest.files.items():
        file = cloud.ask("GET", f"{AT}/{name}")
        assert (file.status, len(file.body)) == (200, entry.bytes), name
        assert hashlib.sha256(file.body).hexdigest() == entry.sha256, name
        assert file.headers["etag"] == f'"{entry.sha256}"'
        assert file.headers["accept-ranges"] == "bytes"
        total += entry.bytes
    assert said["bundle"] == {"served": True, "bytes": total}
    until(lambda: cloud.metric("bundle_transfers_total", result="complete") == before + len(FILES))


def test_head_tells_a_file_s_size_and_takes_no_transfer(cloud: Followed) -> None:
    def transfers() -> float:
        return sum(
            cloud.metric("bundle_transfers_total", result=result)
            for result in ("complete", "abandoned", "stalled", "failed")
        )

    with cloud.connect() as connection:
        before = transfers()
        answer = connection.ask("HEAD", f"{AT}/network.bin", headers={"Range": "bytes=5-"})
        assert (answer.status, answer.headers["content-length"]) == (200, str(len(CONSTANTS)))
        assert (answer.headers["etag"], answer.headers["accept-ranges"]) == (quoted(CONSTANTS), "bytes")
        assert connection.ask("HEAD", f"{AT}/nothing.bin").status == 404
        assert transfers() == before


def test_a_cut_transfer_goes_on_where_it_was_cut(cloud: Followed) -> None:
    size, etag = len(CONSTANTS), quoted(CONSTANTS)
    cases: list[tuple[dict[str, str], int, int, int]] = [
        ({"Range": "bytes=0-"}, 206, 0, size),
        ({"Range": "bytes=1-"}, 206, 1, size),
        ({"Range": f"bytes={size - 1}-"}, 206, size - 1, size),
        ({"Range": "bytes=262144-262150"}, 206, 262144, 262151),
        ({"Range": f"bytes=5-{10 * size}"}, 206, 5, size),
        ({"Range": "bytes=100-", "If-Range": etag}, 206, 100, size),
        (
            {"Range": "bytes=100-", "If-Range": '"another"'},
            200,
            0,
            size,
        ),  # it is not the file whose part is there
        *(
            ({"Range": text}, 200, 0, size)
            for text in ("bytes=-5", "bytes=1-2,4-5", "lines=1-", "bytes=x-", "bytes=", "")
        ),
    ]
    with cloud.connect() as connection:
        for headers, status, start, stop in cases:
            answer = connection.ask("GET", f"{AT}/network.bin", headers=headers)
            assert (answer.status, answer.body) == (status, CONSTANTS[start:stop]), headers
            found = answer.headers.get("content-range")
            assert found == (f"bytes {start}-{stop - 1}/{size}" if status == 206 else None), headers
            assert answer.headers["etag"] == etag
        for start in (size, size + 1, 10**17):
            answer = connection.ask("GET", f"{AT}/network.bin", headers={"Range": f"bytes={start}-"})
            assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{size}")
        reversed_ = connection.ask("GET", f"{AT}/network.bin", headers={"Range": "bytes=9-3"})
        assert reversed_.status == 416


def test_who_has_it_already_is_sent_nothing(cloud: Followed) -> None:
    with cloud.connect() as connection:
        for path, data in (("", (cloud.path / "bundle.json").read_bytes()), ("/network.bin", CONSTANTS)):
            answer = connection.ask("GET", AT + path, headers={"If-None-Match": quoted(data)})
            assert (answer.status, answer.body) == (304, b""), path
            answer = connection.ask("GET", AT + path, headers={"If-None-Match": '"0"'})
            assert (answer.status, answer.body) == (200, data), path


def test_nothing_outside_the_three_files_is_there(cloud: Followed) -> None:
    (cloud.path / "secret.txt").write_text("secret")
    for path in (
        "/bundle", "/bundle/", f"{AT}/", f"{AT}/bundle.json", f"{AT}/secret.txt", f"{AT}/../bundle/network.bin",
        f"{AT}/%2e%2e/secret.txt", f"{AT}/network.bin/", f"{AT}/network.bin%00", f"{AT}//network.bin",
        f"{AT}/./network.bin", f"{AT}/network%2ebin", f"/bundle/{OLD.hex().upper()}", f"/bundle/{NEW.hex()}",
        f"/bundle/{OLD.hex()[:-1]}", f"{AT}%0a", f"{AT}/network.bin%0a", "/bundle/../../../etc/passwd",
    ):  # fmt: skip
        answer = cloud.ask("GET", path)
        answer.refused(404, "http")
        assert b"secret" not in answer.body.replace(b"secret.txt", b""), path
    assert cloud.ask("POST", f"{AT}/network.bin").status == 405


def test_a_change_of_the_folder_does_not_change_what_is_being_read(tmp_path: Path) -> None:
    with followed(tmp_path / "bundle", OLD, bundle={"network.bin": CONSTANTS}, serve_bundle=True) as cloud:
        first = cloud.ask("GET", f"{AT}/network.bin", Range="bytes=0-499999")
        bundle = cloud.replace(NEW, **{"network.bin": b"another"})
        shutil.rmtree(cloud.path.with_name("previous"))
        rest = cloud.ask("GET", f"{AT}/network.bin", Range="bytes=500000-")
        assert first.body + rest.body == CONSTANTS
        assert cloud.ask("GET", f"/bundle/{NEW.hex()}/network.bin").body == b"another"
        assert cloud.ask("GET", f"/bundle/{NEW.hex()}").body == (bundle.folder / "bundle.json").read_bytes()


# --- few at once, and none for ever -----------------------------------------------------------------------------------

LARGE = 64 << 20  # more than the sockets between two processes hold


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Followed]:
    with followed(
        tmp_path / "bundle", OLD, bundle={"network.bin": bytes(LARGE)}, serve_bundle=True, idle_timeout_s=2.0
    ) as server:
        yield server


def test_more_than_a_few_at_once_are_told_to_come_again(
    cloud: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK_BYTES", 4096)
    held = cloud.service.pools.files
    busy = []

    class Held:
        """Reads nothing until it is let go."""

        async def run(self, *arguments: object) -> object:
            busy.append(arguments)
            await gate.wait()
            return await held.run(*arguments)  # type: ignore[arg-type]

    gate = asyncio.Event()
    monkeypatch.setattr(cloud.service.pools, "files", Held())
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(cloud.connect()) for _ in range(MAX_TRANSFERS_A_CLIENT)]
        for connection in connections:
            connection.send(request("GET", f"{AT}/network.bin"))
        until(lambda: len(busy) == MAX_TRANSFERS_A_CLIENT)
        refusal = cloud.ask("GET", f"{AT}/network.bin").refused(503, "transfers_full")
        assert refusal["accepted"] == {"at_once": MAX_TRANSFERS, "by_one_client": MAX_TRANSFERS_A_CLIENT}
        assert cloud.ask("GET", AT).status == 200  # the manifest is small, and in memory
        cloud.loop.call_soon_threadsafe(gate.set)
        assert [connection.answer().body for connection in connections] == [CONSTANTS] * len(connections)
    assert cloud.ask("GET", f"{AT}/network.bin").status == 200


def test_a_client_that_goes_away_or_takes_nothing_gives_its_place_back(
    large: Followed, expect_log: pytest.LogCaptureFixture
) -> None:
    with large.connect() as gone:
        gone.send(request("GET", f"{AT}/network.bin"))
        assert gone._file.readline().startswith(b"HTTP/1.1 200")
    until(lambda: large.metric("bundle_transfers_total", result="abandoned") == 1)
    with large.connect() as idle:
        idle.send(request("GET", f"{AT}/network.bin"))
        until(lambda: large.metric("bundle_transfers_total", result="stalled") == 1)
    assert re.search(
        r"a client has taken nothing of /bundle/\w+/network\.bin for 2 s and is cut off", expect_log.text
    )
    assert large.metric("requests_total", endpoint="/bundle", code="200") == 0
    assert large.ask("GET", f"{AT}/network.bin").body == bytes(LARGE)


def test_a_file_that_was_cut_off_on_disk_ends_the_connection(
    tmp_path: Path, expect_log: pytest.LogCaptureFixture
) -> None:
    with followed(tmp_path / "bundle", OLD, bundle={"network.bin": CONSTANTS}, serve_bundle=True) as cloud:
        os.truncate(cloud.path / "network.bin", 400_000)
        with cloud.connect() as connection:
            connection.send(request("GET", f"{AT}/network.bin"))
            answer: Response = connection.answer()
            assert (answer.headers["content-length"], answer.body) == (
                str(len(CONSTANTS)),
                CONSTANTS[:400_000],
            )
            assert connection.closed_by_server()
        until(lambda: cloud.metric("bundle_transfers_total", result="failed") == 1)
        assert "network.bin cannot be sent: it ends after 400000 bytes" in expect_log.text
