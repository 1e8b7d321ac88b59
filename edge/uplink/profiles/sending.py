"""A profile's requests: the one that brings it to a cloud, and the small one that asks whether it is there."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from edge.uplink.client import refusal_of
from edge.uplink.profiles.clouds import UNNAMED
from shared.errors import UplinkError
from shared.wire.cloud_id import CLOUD_HEADER
from shared.wire.http import IDENTITY

if TYPE_CHECKING:
    from edge.uplink.client import CloudClient


class PackedError(UplinkError):
    """The cloud takes no packed profile, as those before 0.14.0, of which one may be behind the address of one that does."""


async def put(
    client: CloudClient, name: str, body: tuple[bytes, str], patience_s: float, cloud: str = UNNAMED
) -> str:
    """Upload a profile, its bytes and their encoding, to `cloud` where a balancer can see to that; the cloud that took it.

    Raises UplinkError if none did: `profile` if it refuses this profile.
    """
    data, encoding = body
    headers = _meant_for(cloud) | ({} if encoding == IDENTITY else {"Content-Encoding": encoding})
    about: dict[str, Any] = {}
    status, said = await client.request(
        "PUT", f"/profiles/{name}", patience_s, about, data=data, headers=headers
    )
    if status in (200, 201):
        return str(about.get("cloud", UNNAMED))
    refusal = refusal_of(status, said, about.get("cloud"))
    if status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE and encoding != IDENTITY:
        raise PackedError("profile", str(refusal))
    if refusal.reason != "busy":
        refusal.reason = "profile" if status < 500 else "unreachable"  # a proxy's answer
    raise refusal


async def has(client: CloudClient, name: str, patience_s: float, cloud: str) -> tuple[str, bool]:
    """Ask whether a profile is there, which is a small question; the cloud that answers, and what. Raises UplinkError."""
    about: dict[str, Any] = {}
    status, body = await client.request(
        "HEAD", f"/profiles/{name}", patience_s, about, headers=_meant_for(cloud)
    )
    if "cloud" not in about or status not in (200, 404):
        raise refusal_of(status, body, about.get("cloud"))
    return about["cloud"], status == 200


def _meant_for(cloud: str) -> dict[str, str]:
    return {CLOUD_HEADER: cloud} if cloud else {}
