"""The cloud's settings."""

from __future__ import annotations

from pydantic import Field

from shared.limits import MAX_FRAME_BYTES
from shared.settings import CommonSettings


class CloudSettings(CommonSettings):
    """The settings of `python -m cloud`, as flags and `SPLITDNN_*` variables."""

    address: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for every network")
    port: int = Field(8881, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    max_body_bytes: int = Field(
        MAX_FRAME_BYTES, ge=1024, le=1 << 30, description="largest request body taken"
    )
    max_buffered_bytes: int = Field(
        512 << 20, ge=1024, description="request bodies held at once; above it requests are refused with 503"
    )
    queue_capacity: int = Field(64, ge=1, le=4096, description="tensors that may wait for their tail")
    max_batch: int = Field(8, ge=1, le=256, description="tensors in one run of a tail")
    batch_wait_ms: float = Field(
        2.0, ge=0, le=1000, description="how long the first tensor of a batch waits for more"
    )
    tail_workers: int = Field(
        0,
        ge=0,
        le=64,
        description="tails that run at once, sharing the threads; 0: one for every four threads",
    )
    request_timeout_s: float = Field(
        30.0, gt=0, le=600, description="a request without a deadline of its own is given up after this"
    )
    idle_timeout_s: float = Field(75.0, gt=0, le=3600, description="a silent connection is closed after this")
    ledger: str | None = Field(
        None,
        description="file for one JSON line a frame: answered, refused or abandoned by its sender; lines are added to it, "
        "and `{hostname}` in it becomes the host's name. A container can only write it to a volume that you mount",
    )
    ledger_max_bytes: int = Field(
        64 << 20,
        ge=0,
        le=2**50,
        description="a ledger gets no longer: it is renamed to `NAME-TIME.jsonl` and another is begun; 0: no limit",
    )
    ledger_keep: int = Field(
        14, ge=1, le=10_000, description="how many complete ledgers are kept besides the current one"
    )
    audit: str | None = Field(
        None,
        description="file for one JSON line for each refusal, upload, eviction and login: who did what, and what it cost; as with "
        "the ledger, lines are added to it, and `{hostname}` in it becomes the host's name",
    )
    audit_max_bytes: int = Field(16 << 20, ge=0, le=2**50, description="as `ledger_max_bytes`, for the audit")
    audit_keep: int = Field(14, ge=1, le=10_000, description="as `ledger_keep`, for the audit")
    serve_bundle: bool = Field(
        False,
        description="let clients fetch the network, as edges with `--model cloud` do: whoever reaches the port can then copy it, "
        "with its weights",
    )
    drain_s: float = Field(20.0, ge=0, le=600, description="on SIGTERM, requests in progress get this long")
