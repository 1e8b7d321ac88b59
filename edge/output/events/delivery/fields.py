"""The settings of delivery, as fields for the edge's settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from edge.output.events.delivery.targets import targets_of


def _are_targets(value: str | None) -> str | None:
    if value is not None:
        targets_of(value)
    return value


Events = Annotated[
    str | None,
    AfterValidator(_are_targets),
    Field(
        description="where events are told (docs/events.md): MQTT brokers as in `mqtts://user@broker:8883/prefix` and webhooks as in "
        "`https://receiver/path`, at most 8, with commas between them, or by repeating the flag. `{hostname}` in a prefix becomes the host's name"
    ),
]
EventsInClear = Annotated[
    bool,
    Field(
        description="take `mqtt://` and `http://` addresses beyond this machine too, where everybody on the way can read events and password"
    ),
]
EventsCa = Annotated[
    str | None,
    Field(
        description="PEM file of the CAs that may have signed the certificates of these targets; by default the system's"
    ),
]
EventsCertificate = Annotated[
    str | None, Field(description="PEM file of this edge's certificate, for targets that ask for one")
]
EventsKey = Annotated[str | None, Field(description="PEM file of its key, if not in the same file")]
EventsPasswordFile = Annotated[
    str | None,
    Field(
        description="file with the password for brokers whose address has a user, alone; read again when it changes"
    ),
]
EventsSecretFile = Annotated[
    str | None,
    Field(
        description="file with the key that signs what webhooks are sent, 32 random bytes in base64 as `openssl rand -base64 32` prints them; "
        "of several, one a line, each signs; read again when it changes"
    ),
]
EventsMqtt = Annotated[
    Literal["5", "3.1.1"], Field(description="version of MQTT that brokers are spoken to in: `5` or `3.1.1`")
]
EventsDiscovery = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_/-]{0,64}$",
        description="prefix of Home Assistant's discovery topics, as a rule `homeassistant`: cameras then appear there by themselves; empty: nothing "
        "is said there",
    ),
]
