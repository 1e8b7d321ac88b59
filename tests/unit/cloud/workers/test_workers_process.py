"""`python -m cloud --workers 2` as processes: metrics, profiles, sessions, files, a killed worker, the end."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from kits import bundles
from kits.cloud_process import BODY, WAIT_S, Process, get, small
from kits.profiles import features, make_profile
from kits.tokens import Tokens, bearing

from shared.codecs import encode_frame
from shared.codecs.calibrated.codec import Calibrated
from shared.security.rights import Right
from shared.wire.frame import pack
from shared.wire.http import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow  # processes

WORKERS = 2
ENOUGH = 40
"""Connections among which both workers have some, but for one case in 10^11."""
JSON = {"Content-Type": "application/json"}


class Cloud(Process):
    """Both workers of one cloud."""

    def ready(self) -> None:
        self.port = int(self.logged(r"2 workers with 1 threads each share port (\d+)")[1])
        for _ in range(WORKERS):
            self.logged("listening on ")

    def post(
        self, path: str, body: bytes, headers: dict[str, str], method: str = "POST"
    ) -> tuple[int, bytes, str]:
        """On a connection of its own, so to any of the workers."""
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read(), response.headers.get("Set-Cookie", "")

    def metric(self, series: str) -> float:
        found = re.search(rf"^{re.escape(series)} (.+)$", get(self, "/metrics")[1].decode(), re.MULTILINE)
        assert found, series
        return float(found[1])

    def page(self, token: str) -> Any:
        """The first state that a page of any worker gets."""
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)) as connection:
            connection.request("GET", "/page/events", headers=bearing(token))
            response = connection.getresponse()
            assert response.status == 200
            while not (line := response.fp.readline()).startswith(b"data: {"):
                assert line
            return json.loads(line.removeprefix(b"data: "))

    def children(self) -> list[int]:
        task = Path(f"/proc/{self._process.pid}/task")
        return [int(pid) for each in task.iterdir() for pid in (each / "children").read_text().split()]

    def ended(self) -> int:
        return self._process.wait(WAIT_S)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    made = Tokens(tmp_path_factory.mktemp("tokens") / "tokens")
    made.of["person"] = made.add("person", Right.PAGE)
    return made


@pytest.fixture
def cloud(cache_dir: str, tokens: Tokens, tmp_path: Path) -> Iterator[Cloud]:
    flags = (
        "--workers=2", "--threads=2", f"--cache-dir={cache_dir}", f"--ledger={tmp_path}/ledger-{{worker}}.jsonl",
        f"--token-file={tokens.path}", "--anonymous=frames,profiles,json,metrics",
    )  # fmt: skip
    with Cloud(*small(), *flags) as cloud:
        cloud.ready()
        yield cloud


def test_two_workers_are_one_cloud(cloud: Cloud, tokens: Tokens, tmp_path: Path) -> None:
    # Every request is answered, and counted once, whichever worker has it.
    for _ in range(ENOUGH):
        assert cloud.post("/model", BODY, JSON)[0] == 200
    answered = 'splitdnn_cloud_requests_total{code="200",endpoint="/model"}'
    assert cloud.metric(answered) == ENOUGH
    assert cloud.metric("splitdnn_cloud_queue_capacity") == 64

    # The page of either shows both.
    for _ in range(3):
        state = cloud.page(tokens.of["person"])
        assert [(each["number"], each["state"]) for each in state["workers"]] == [(1, "ready"), (2, "ready")]
        (client,) = state["clients"]["shown"]
        assert (client["name"], client["frames"]) == ("127.0.0.1", ENOUGH)
        assert state["queue"]["capacity"] == 64
        (network,) = state["networks"]
        assert sum(tail["frames"] for tail in network["tails"]) == ENOUGH

    # A profile that one has taken is known to all.
    bundle = bundles.tiny()
    fingerprint, shape = bundle.model.fingerprint, bundle.partition.point("pool").shapes[0]
    profile = make_profile(fingerprint, "pool", shape)
    name = hashlib.sha256(profile.data).hexdigest()[:32]
    assert cloud.post(f"/profiles/{name}", profile.data, {}, "PUT")[0] == 201
    tensor = features(shape, 1, seed=3)[0]
    frame = pack(
        encode_frame(tensor, Calibrated(profile), split_point="pool", fingerprint=fingerprint, frame_id=1)
    )
    for _ in range(ENOUGH):
        assert cloud.post("/model", frame, {"Content-Type": CONTENT_TYPE})[0] == 200
    # Each has a ledger of its own, and together they have every frame.
    ledgers = [path.read_text().splitlines() for path in sorted(tmp_path.glob("ledger-*.jsonl"))]
    assert len(ledgers) == WORKERS
    assert all(ledgers), "one worker has answered nothing"
    assert sum(map(len, ledgers)) == ENOUGH

    # A session is known to all, and so is its end.
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, cookie = cloud.post("/login", urlencode({"token": tokens.of["person"]}).encode(), form)
    assert status == 303
    shown = {"Cookie": cookie.partition(";")[0]}
    found = [json.loads(cloud.post("/session", b"", shown, "GET")[1]) for _ in range(ENOUGH)]
    assert {each["name"] for each in found} == {"person"}
    key = urlencode({"form_key": found[0]["form_key"]}).encode()
    assert cloud.post("/logout", key, form | shown)[0] == 303
    for _ in range(ENOUGH):
        assert json.loads(cloud.post("/session", b"", shown, "GET")[1])["name"] is None

    # One that is killed is missed by nobody for long, and what it had counted stays.
    before = cloud.metric(answered)
    os.kill(cloud.children()[0], signal.SIGKILL)
    cloud.logged("worker . has ended with status 137")
    assert cloud.metric('splitdnn_cloud_worker_deaths_total{why="killed"}') == 1
    assert cloud.metric(answered) == before
    for _ in range(ENOUGH):
        assert cloud.post("/model", BODY, JSON)[0] == 200, "while another starts"
    assert cloud.metric(answered) == before + ENOUGH
    cloud.logged("listening on ")
    # The new one lacks the profile, says so, and has it after one upload.
    while (status := cloud.post("/model", frame, {"Content-Type": CONTENT_TYPE})[0]) == 200:
        pass
    assert status == 424
    assert cloud.post(f"/profiles/{name}", profile.data, {}, "PUT")[0] in (200, 201)
    for _ in range(ENOUGH):
        assert cloud.post("/model", frame, {"Content-Type": CONTENT_TYPE})[0] == 200

    # SIGTERM ends all of them, and nothing is left.
    cloud.signal()
    assert cloud.ended() == 0
    cloud.closed()
    assert sum("stopped$" in line or line.rstrip().endswith(": stopped") for line in cloud.log) == WORKERS


def test_another_bundle_is_taken_by_both_at_once(cache_dir: str, tmp_path: Path) -> None:
    def fingerprint() -> str:
        return str(json.loads(get(cloud, "/model")[1])["fingerprint"])

    folder, taken = tmp_path / "bundle", 'splitdnn_cloud_network_changes_total{result="taken"}'
    shutil.copytree(bundles.tiny().folder, folder)
    shutil.copytree(bundles.tiny(seed=6).folder, tmp_path / "next")
    flags = ("--workers=2", "--threads=2", f"--cache-dir={cache_dir}", "--model", str(folder))
    with Cloud(*small(), *flags) as cloud:
        cloud.ready()
        old = fingerprint()
        folder.rename(tmp_path / "old")
        (tmp_path / "next").rename(folder)
        for _ in range(WORKERS):
            cloud.logged("is the current network now")
        assert cloud.metric(taken) == WORKERS
        (new,) = {fingerprint() for _ in range(ENOUGH)}
        assert new == bundles.tiny(seed=6).model.fingerprint.hex() != old
        assert not [line for line in cloud.log if "taken without it" in line]
        cloud.signal()
        assert cloud.ended() == 0


def test_workers_do_not_outlive_their_parent(cloud: Cloud) -> None:
    cloud.signal(signal.SIGKILL)
    cloud.closed()  # nothing holds its stderr any more


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--weights=/nowhere.pth", "--model=resnet18"), "worker 1 cannot start"),
        (("--ledger=l.jsonl",), "a file has one writer"),
        (("--workers=3",), "accepted: 1 to 2"),
    ],
)
def test_what_cannot_start_ends_with_status_2(flags: tuple[str, ...], said: str) -> None:
    with Cloud(*small(), "--workers=2", "--threads=2", *flags) as cloud:
        assert cloud.ended() == 2
        cloud.closed()
        assert said in "".join(cloud.log)
