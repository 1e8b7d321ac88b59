"""`make demo`: cloud and edge as two processes on this machine, reading one source.

Needs the standard library only. Settings are the usual `SPLITDNN_*` variables. Flags that say which network it is are for both sides;
all others go to the edge unchanged.

On a terminal it says where the edge's page is, and stays until ctrl-C, so that somebody can look at it; elsewhere, and with a number of
frames (SPLITDNN_FRAMES), it ends with the source. There, without a network of your choice, it takes the first detector's bundle in `weights`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ENDLESS = "synthetic:fps=8"
CAMERA = f"{ENDLESS},frames=120"
# Of these, fetching pretrained weights may take 20; the rest is for slow machines.
START_SECONDS = 240.0
STOP_SECONDS = 30.0
WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
NETWORK = ("model", "labels", "recipe", "task")
"""Settings that both sides must be given alike."""
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Both sides are on this machine, which a proxy of the environment is not."""


def main() -> int:
    """The edge's exit status, or 2 if the cloud did not start."""
    parser = argparse.ArgumentParser(description=__doc__)
    watched = _is_watched()
    usual = ENDLESS if watched else CAMERA
    parser.add_argument("--source", default=os.environ.get("SPLITDNN_SOURCE") or usual)
    parser.add_argument("--status-port", default=os.environ.get("SPLITDNN_STATUS_PORT") or "0")
    for name in NETWORK:
        parser.add_argument(f"--{name}")
    arguments, for_edge = parser.parse_known_args()
    given = {f"SPLITDNN_{name.upper()}": getattr(arguments, name) for name in NETWORK}
    environment = os.environ | {name: value for name, value in given.items() if value is not None}
    if watched and not environment.get("SPLITDNN_MODEL") and (detector := _detector()):
        environment["SPLITDNN_MODEL"] = str(detector)
        say(
            f"network: {detector.name} in {detector.parent}, a detector, whose boxes the page draws; MODEL=resnet50 runs another"
        )
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="splitdnn-demo-") as folder:
        log = Path(folder) / "cloud.log"
        say(
            f"cloud: starting on port {port} (loading the network; pretrained weights are tried for up to 20 s)"
        )
        command = ["cloud", "--address", "127.0.0.1", "--port", str(port)]
        with log.open("wb") as log_file, _process(command, env=environment, stderr=log_file) as cloud:
            url = f"http://127.0.0.1:{port}"
            if not _wait_until_ready(f"{url}/readyz", cloud):
                say("cloud: did not start; this is its log")
                sys.stderr.write(log.read_text(errors="replace"))
                return 2
            for line in log.read_text(errors="replace").splitlines():
                if "WARNING" in line or "fingerprint" in line:
                    say(f"cloud: {line.split(': ', 1)[-1]}")
            say(f"edge: reading {arguments.source}")
            edge = ["edge", "--cloud-url", url, "--source", arguments.source, "--show", "changes"]
            status_port = arguments.status_port
            if watched and status_port == "0":
                status_port = str(_free_port())
            edge += ["--status-port", status_port]
            if watched:
                edge += ["--at-end", "stay", *_pictures()]
            with _process([*edge, *for_edge], env=environment) as process:
                if watched:
                    _say_where(status_port, process, tls=_has_certificate(for_edge))
                return process.wait()


def _is_watched() -> bool:
    """Whether there is somebody to stay for, who has not said that it is to end."""
    ends = os.environ.get("SPLITDNN_FRAMES") or os.environ.get("SPLITDNN_AT_END")
    return sys.stdout.isatty() and not ends and "--frames" not in " ".join(sys.argv)


def _detector(folder: Path = WEIGHTS) -> Path | None:
    """The first bundle of a detector in the folder where networks lie; None if there is none."""
    for manifest in sorted(folder.glob("*/bundle.json")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            if json.loads(manifest.read_bytes())["task"]["name"] == "detect":
                return manifest.parent
    return None


def _pictures() -> list[str]:
    """The flag that shows the cameras' pictures on the page, unless a variable says whether they are to be shown."""
    return [] if os.environ.get("SPLITDNN_PAGE_PICTURES") else ["--page-pictures"]


def _has_certificate(for_edge: list[str]) -> bool:
    """Whether the page is served over TLS."""
    flags = [each for each in for_edge if each.startswith("--status-certificate")]
    return bool(flags or os.environ.get("SPLITDNN_STATUS_CERTIFICATE"))


def _say_where(port: str, edge: subprocess.Popen[bytes], *, tls: bool) -> None:
    """The page's address, once there is a page, and again at the end of the source: what the edge prints has moved it away."""
    if tls:
        say(f"look at https://127.0.0.1:{port}/ in a browser; ctrl-C ends all of it")
        return
    page = f"http://127.0.0.1:{port}/"
    if not _wait_until(f"{page}healthz", edge, lambda _: True):
        return
    say(f"look at {page} in a browser; ctrl-C ends all of it")
    if _wait_until(f"{page}healthz", edge, lambda said: b'"finished"' in said, math.inf):
        say(f"the source has ended; the page stays at {page} until ctrl-C")


def say(line: str) -> None:
    """One line about the demo itself."""
    print(f"demo: {line}", flush=True)


@contextlib.contextmanager
def _process(arguments: list[str], **options: object):  # noqa: ANN202
    """`python -m …`; the end of the block sends SIGTERM, then SIGKILL. Ctrl-C reaches it directly."""
    process = subprocess.Popen([sys.executable, "-m", *arguments], **options)
    try:
        yield process
    except KeyboardInterrupt:
        process.wait(STOP_SECONDS)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> bool:
    return _wait_until(url, process, lambda _: True)


def _wait_until(
    url: str,
    process: subprocess.Popen[bytes],
    said: Callable[[bytes], bool],
    seconds: float = START_SECONDS,
) -> bool:
    """Whether `url` answers 200 with what is to be `said` there, before the process ends."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            _DIRECTLY.open(url, timeout=2) as response,
        ):
            if response.status == 200 and said(response.read()):
                return True
        time.sleep(0.2)
    return False


if __name__ == "__main__":
    sys.exit(main())
