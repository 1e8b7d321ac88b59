"""What all golden frames have in common; their files hold it for ever."""

from __future__ import annotations

from typing import Any

FIELDS: dict[str, Any] = {
    "split_point": "layer2.1.add",
    "fingerprint": bytes.fromhex("0123456789abcdef"),
    "frame_id": 0xFEDCBA9876543210,
    "capture_time_ns": 1_700_000_000_123_456_789,
    "deadline_ms": 2500,
}
