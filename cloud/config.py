"""The cloud's settings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from shared.limits import MAX_FRAME_BYTES
from shared.process.settings import CommonSettings
from shared.wire.http import require_origin


class CloudSettings(CommonSettings):
    """The settings of `python -m cloud`, as flags and `SPLITDNN_*` variables."""

    address: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for every network")
    port: int = Field(8881, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    workers: int = Field(
        1,
        ge=1,
        le=64,
        description="processes that share the port, the threads and every limit: more than 1 where a process has so many cores that "
        "Python keeps some of them waiting. Each holds the network (docs/operations.md)",
    )
    certificate: str | None = Field(
        None,
        description="PEM file of the cloud's certificate, followed by those between it and its CA: the port then speaks TLS only. "
        "Renewed files are taken within seconds, without a lost connection",
    )
    key: str | None = Field(
        None, description="PEM file of the certificate's key, unless that is in the certificate's file"
    )
    client_ca: str | None = Field(
        None,
        description="PEM file of the CAs that sign clients' certificates: whoever has none of theirs is told nothing but the health",
    )
    token_file: str | None = Field(
        None,
        description="file of the tokens that are let in, one a line: name, rights, expiry and hash, as `splitdnn token new` writes it; "
        "read again when it changes (docs/access.md)",
    )
    anonymous: str | None = Field(
        None,
        description="what everybody may do without a token: `nothing`, `all`, or a list of `frames`, `profiles`, `bundles`, `json`, "
        "`metrics`, `page`, `edge` (the first three). By default nothing if there is a file of tokens; else all on this machine's own "
        "address, and on any other the cloud does not start",
    )
    max_body_bytes: int = Field(
        MAX_FRAME_BYTES, ge=1024, le=1 << 30, description="largest request body taken"
    )
    max_buffered_bytes: int = Field(
        512 << 20, ge=1024, description="request bodies held at once; above it requests are refused with 503"
    )
    queue_capacity: int = Field(64, ge=1, le=4096, description="tensors that may wait for their tail")
    max_batch: int = Field(8, ge=1, le=256, description="tensors in one run of a tail")
    batch_wait_ms: float = Field(
        2.0,
        ge=0,
        le=1000,
        description="how long the first tensor of a batch waits at most, for others that are on their way",
    )
    tail_workers: int = Field(
        0,
        ge=0,
        le=64,
        description="tails that run at once, sharing the threads; 0: one for every four threads",
    )
    compiled_tails: str = Field(
        "",
        description="split points, with commas between, whose tails are compiled on their own at the start, as the default one's is; "
        "those at others are put together of segments, which takes a little longer for each frame",
    )
    legs: bool = Field(
        True,
        description="compile the way from the split points of most frames to the default one without cuts, as frames come: faster, and takes the "
        "memory of another network at most",
    )
    served_split_points: Literal["all", "usual"] = Field(
        "all",
        description="where frames may cross: `all`, or `usual`, which is the default split point, `input`, the ends of stages and those of "
        "`--compiled-tails`; a chain cut at all of them takes the memory of another network, or of three",
    )
    video_streams: int = Field(
        32,
        ge=0,
        le=1024,
        description="videos (codecs `h264`, `h265`, `av1`) that are decoded at once, each in a process of its own, as it is from another "
        "machine; 0: none",
    )
    request_timeout_s: float = Field(
        30.0, gt=0, le=600, description="a request without a deadline of its own is given up after this"
    )
    idle_timeout_s: float = Field(75.0, gt=0, le=3600, description="a silent connection is closed after this")
    ledger: str | None = Field(
        None,
        description="file for one JSON line a frame: answered, refused or abandoned by its sender; lines are added to it, "
        "and `{hostname}` in it becomes the host's name, `{worker}` the worker's number, of 1 and more. A container can only write it to a volume that you mount",
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
    profile_folder: str = Field(
        "",
        description="folder in which the clouds of a fleet share the codecs' profiles, so that an edge sends each once: every cloud reads "
        "and writes it; empty: none (docs/operations.md, Several clouds)",
    )
    siblings: str = Field(
        "",
        description="the other clouds of a fleet, which are asked for a profile that a frame names and this one lacks: addresses with "
        "commas between, as in `http://cloud-1:8881,http://cloud-2:8881`, or a name that has the addresses of all of them, as "
        "`http://tasks.cloud:8881`; this cloud's own may be among them",
    )
    sibling_bundles: bool = Field(
        False,
        description="fetch a network that a frame is for and this cloud lacks from a sibling that serves it (`--serve-bundle`), and serve it "
        "beside its own while such frames come: for a fleet in which clouds run different networks during an update",
    )
    siblings_token_file: str | None = Field(
        None,
        description="file of the token that they are shown, with the right `profiles`, and `bundles` for `--sibling-bundles`; read again when "
        "it changes",
    )
    siblings_ca: str | None = Field(
        None,
        description="PEM file of the CAs that sign their certificates, for `https://` siblings; by default the system's. They are shown this "
        "cloud's own certificate",
    )
    trusted_proxies: str = Field(
        "",
        description="proxies before the cloud, as addresses and networks (`10.0.0.7,10.1.0.0/16`): what they say in `X-Forwarded-For` or "
        "`Forwarded` is believed, and nobody else's",
    )
    max_connections: int = Field(
        1024,
        ge=8,
        le=65536,
        description="connections open at once, as far as the limit of open files allows",
    )
    client_connections: int = Field(256, ge=1, description="the same of one client")
    client_frames: int = Field(
        128, ge=1, description="requests for a tail that one client may have under way"
    )
    sessions: int = Field(
        256,
        ge=0,
        le=4096,
        description="sessions open at once, each an edge's connection over which its frames come as a stream, half of them of one client; 0: none, "
        "each frame is a request of its own",
    )
    session_age_s: float = Field(
        0.0,
        ge=0,
        le=86400 * 30,
        description="an edge is asked to open another session after this, which a balancer may give to another cloud; 0: never",
    )
    session_resume_s: float = Field(
        30.0,
        ge=0,
        le=600,
        description="a session whose connection broke is kept for this, with its answers, until its edge comes back",
    )
    client_body_bytes: int = Field(
        MAX_FRAME_BYTES,
        ge=1024,
        description="request bodies of one client held at once; those of a size that is taken at all always fit one at a time",
    )
    client_compute: float = Field(
        0.0,
        ge=0,
        le=1024,
        description="seconds of computing that one client may use a second, in the long run; 0: as much as is there, shared fairly",
    )
    min_body_rate: float = Field(
        4096.0, gt=0, description="bytes a second at which a body must come, after 10 s of patience"
    )
    write_timeout_s: float = Field(
        20.0,
        gt=0,
        le=3600,
        description="an answer of which its client takes nothing for so long is given up",
    )
    drain_s: float = Field(20.0, ge=0, le=600, description="on SIGTERM, requests in progress get this long")

    @field_validator("key", "client_ca")
    @classmethod
    def _needs_a_certificate(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and not info.data.get("certificate"):
            raise ValueError("needs --certificate too, as without it the port speaks no TLS")
        return value

    @field_validator("siblings")
    @classmethod
    def _are_addresses(cls, value: str) -> str:
        for url in _listed(value):
            require_origin(url)
        return value

    @field_validator("sibling_bundles")
    @classmethod
    def _need_siblings(cls, value: bool, info: ValidationInfo) -> bool:
        if value and not info.data.get("siblings"):
            raise ValueError("needs --siblings too, which says where they are fetched from")
        return value

    def sibling_urls(self) -> list[str]:
        """The addresses that `siblings` lists."""
        return _listed(self.siblings)

    def own_tails(self) -> list[str]:
        """The split points that `compiled_tails` lists."""
        return _listed(self.compiled_tails)


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]
