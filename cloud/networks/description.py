"""What a cloud says of itself: which network it runs, what it can decode, and its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared import __version__
from shared.codecs import known_codecs
from shared.limits import MAX_ELEMENTS, MAX_FILE_PIXELS, MAX_PICTURE_PIXELS, MAX_TENSORS
from shared.wire import frame as wire
from shared.wire.profile import ENCODINGS

if TYPE_CHECKING:
    from cloud.service import Service


def description(service: Service) -> dict[str, Any]:
    """What `GET /model` answers."""
    settings = service.settings
    return {
        **service.network.describe(),
        "version": __version__,
        "cloud": service.cloud,
        "also_serves": service.networks.also_serves(),
        "codecs": {codec.name: codec.id for codec in known_codecs().values()},
        "profiles": service.profiles.names(),
        "profile_encodings": list(ENCODINGS),
        "wire_versions": list(wire.VERSIONS),
        "session_protocols": [1] if service.sessions.are_served else [],
        "limits": {
            "max_body_bytes": settings.max_body_bytes,
            "max_elements": MAX_ELEMENTS,
            "max_tensors": MAX_TENSORS,
            "max_picture_pixels": MAX_PICTURE_PIXELS,
            "max_file_pixels": MAX_FILE_PIXELS,
            "max_profile_bytes": service.max_profile_bytes,
            "queue_capacity": settings.queue_capacity,
            "max_batch": settings.max_batch,
        },
    }
