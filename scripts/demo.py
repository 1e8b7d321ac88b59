"""`make demo`: cloud and edge as two processes on this machine, reading one source.

Needs the standard library only. Settings are the usual `SPLITDNN_*` variables. Flags that say which network it is are for both sides;
all others go to the edge unchanged.
"""

from __future__ import annotations

import argparse
import contextlib
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

CAMERA = "synthetic:fps=8,frames=120"
# Of these, fetching pretrained weights may take 20; the rest is for slow machines.
START_SECONDS = 240.0
STOP_SECONDS = 30.0
NETWORK = ("model", "labels", "recipe", "task")
"""Settings that both sides must be given alike."""


def main() -> int:
    """The edge's exit status, or 2 if the cloud did not start."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default=os.environ.get("SPLITDNN_SOURCE") or CAMERA)
    for name in NETWORK:
        parser.add_argument(f"--{name}")
    arguments, for_edge = parser.parse_known_args()
    given = {f"SPLITDNN_{name.upper()}": getattr(arguments, name) for name in NETWORK}
    environment = os.environ | {name: value for name, value in given.items() if value is not None}
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
            if "--status-port" not in " ".join(for_edge) and "SPLITDNN_STATUS_PORT" not in os.environ:
                edge += ["--status-port", "0"]
            with _process([*edge, *for_edge], env=environment) as process:
                return process.wait()


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
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(url, timeout=2) as response,
        ):
            if response.status == 200:
                return True
        time.sleep(0.2)
    return False


if __name__ == "__main__":
    sys.exit(main())
