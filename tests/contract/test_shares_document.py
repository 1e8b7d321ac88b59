"""What docs/operations.md says of the shares of clients is what the defaults are."""

from __future__ import annotations

from pathlib import Path

from cloud.config import CloudSettings
from edge.config import EdgeSettings
from shared.limits import MAX_CLIENT_COMPILATIONS, MAX_CLIENT_PROFILES, MAX_JSON_ANSWER_BYTES

PAGE = " ".join(
    (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text(encoding="utf-8").split()
)
CAMERAS = 8


def test_how_many_edges_one_client_may_be() -> None:
    settings = CloudSettings()
    frames = EdgeSettings().in_flight + CAMERAS - 1  # edge/run.py
    connections = frames + 1  # edge/uplink/line.py, for the question whether the cloud is there
    edges = min(settings.client_frames // frames, settings.client_connections // connections)
    for sentence in (
        f"so {frames} with {CAMERAS} cameras, on one connection more",
        f"{settings.client_frames} frames and {settings.client_connections} connections of one client, are for {edges} such edges",
        f"its {settings.client_body_bytes >> 20} MiB of bodies, its {MAX_CLIENT_PROFILES} profiles",
        f"A client has {MAX_CLIENT_COMPILATIONS} in a minute, then one every {60 // MAX_CLIENT_COMPILATIONS:d} seconds".replace(
            "10 seconds", "ten seconds"
        ),
        f"as JSON longer than {MAX_JSON_ANSWER_BYTES >> 20} MiB",
    ):
        assert sentence in PAGE, sentence


def test_the_largest_edge_is_one_client() -> None:
    """64 cameras, the most of one edge, are answered with the defaults."""
    assert EdgeSettings().in_flight + 64 <= CloudSettings().client_frames
