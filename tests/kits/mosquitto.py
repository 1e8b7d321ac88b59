"""A real broker, Debian's mosquitto, with TLS and passwords; and a subscriber that it keeps messages for. No tests."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

if TYPE_CHECKING:
    from pathlib import Path

    from kits.certificates import Certificates

_PATH = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin"
"""Debian puts it where only root looks."""
PROGRAM = shutil.which("mosquitto", path=_PATH)
MISSING = "no mosquitto: apt-get install mosquitto"
USERS = {"edge": "s3cret, ü", "home": "other"}
STEP_S = 20.0


class Mosquitto:
    """One in a folder; what it has accepted outlives `stop`."""

    def __init__(self, folder: Path, made: Certificates, acl: str = "") -> None:
        """`acl`: mosquitto's own lines on who may do what; without any, everybody may do all."""
        self.folder, self._made, self._acl = folder, made, acl
        self.port, self.plain_port = _free_port(), _free_port()
        """With TLS, and without."""
        self._process: subprocess.Popen[bytes] | None = None
        passwords = folder / "passwords"
        passwords.touch(0o600)
        for user, password in USERS.items():
            subprocess.run(
                [shutil.which("mosquitto_passwd", path=_PATH) or "", "-b", str(passwords), user, password], check=True
            )  # fmt: skip

    def start(self) -> Self:
        (self.folder / "acl").write_text(self._acl)
        lines = [
            "user root" if os.geteuid() == 0 else "",
            f"listener {self.port} 127.0.0.1",
            f"certfile {self._made.path('cloud', 'tls.crt')}",
            f"keyfile {self._made.path('cloud', 'tls.key')}",
            f"listener {self.plain_port} 127.0.0.1",
            "allow_anonymous false",
            f"password_file {self.folder / 'passwords'}",
            f"acl_file {self.folder / 'acl'}" if self._acl else "",
            "persistence true",
            f"persistence_location {self.folder}/",
            "max_queued_messages 0",
            f"log_dest file {self.folder / 'log'}",
        ]
        configuration = self.folder / "mosquitto.conf"
        configuration.write_text("\n".join(line for line in lines if line) + "\n")
        assert PROGRAM
        self._process = subprocess.Popen([PROGRAM, "-c", str(configuration)])
        until = time.monotonic() + STEP_S
        for port in (self.port, self.plain_port):
            while not _is_open(port):
                if self._process.poll() is not None or time.monotonic() > until:
                    raise AssertionError((self.folder / "log").read_text())
                time.sleep(0.02)
        return self

    def stop(self) -> None:
        """As a service is stopped: it writes down what it has accepted."""
        if self._process:
            self._process.terminate()
            assert self._process.wait(STEP_S) == 0
            self._process = None


class Subscriber:
    """Takes everything below a prefix, with a session that the broker keeps."""

    def __init__(self, broker: Mosquitto, prefix: str) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        """Topic, payload, and whether the broker had kept it."""
        self.ready = threading.Event()
        client = self._client = paho.Client(
            CallbackAPIVersion.VERSION2, "home", clean_session=False, protocol=MQTTProtocolVersion.MQTTv311
        )
        client.username_pw_set("home", USERS["home"])
        client.reconnect_delay_set(1, 1)
        client.on_connect = lambda *_: client.subscribe(f"{prefix}/#", qos=1)
        client.on_subscribe = lambda *_: self.ready.set()
        client.on_message = self._take
        client.connect("127.0.0.1", broker.plain_port)
        client.loop_start()

    def _take(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        self.messages.append((message.topic, message.payload, message.retain))

    def events(self) -> list[str]:
        """Their ids as they came, repetitions included."""
        found = [
            json.loads(payload) for topic, payload, _ in list(self.messages) if not topic.endswith("/status")
        ]
        return [each["id"] for each in found if "id" in each]

    def latest(self, topic: str) -> bytes | None:
        return next((payload for name, payload, _ in reversed(list(self.messages)) if name == topic), None)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def _is_open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
