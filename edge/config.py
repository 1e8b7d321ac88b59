"""The edge's settings: those of a run, and those of `python -m edge calibrate`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from edge.cameras.fields import (
    CodecName,
    Deadline,
    Frames,
    Grayscale,
    HeadWorkers,
    MaxLatency,
    MinAgreement,
    Name,
    ObjectiveKind,
    OpenTimeout,
    PictureSize,
    QueueSize,
    ReadTimeout,
    SnapshotFps,
    Source,
    SplitPointName,
    StillThreshold,
    Threshold,
)
from edge.output.events import fields as waiting
from edge.output.events.delivery import fields
from edge.uplink.clouds.addresses import urls_of
from shared.process.settings import CommonSettings
from shared.wire.http import require_proxy


class EdgeSettings(CommonSettings):
    """Flags and `SPLITDNN_*` variables of `python -m edge`."""

    name: Name = "camera"
    source: Source = "synthetic"
    cameras: str | None = Field(
        None,
        description="TOML file of several cameras for this one edge, in place of a source and a name (docs/cameras.md)",
    )
    cloud_url: str = Field(
        "http://127.0.0.1:8881",
        description="where the cloud listens; several clouds, at most 16, with commas between them, or by repeating the flag: the edge "
        "shares its frames out among them (docs/operations.md#several-clouds)",
    )
    proxy: str | None = Field(
        None,
        description="HTTP proxy through which the cloud is asked, as in `http://proxy:3128`, with user and password before the host if it "
        "asks for them; by default none, whatever `HTTP_PROXY` and the like say",
    )
    ca: str | None = Field(
        None,
        description="PEM file of the CAs that may have signed the cloud's certificate; by default the system's",
    )
    client_certificate: str | None = Field(
        None, description="PEM file of this edge's certificate, for a cloud with `--client-ca`"
    )
    client_key: str | None = Field(None, description="PEM file of its key, if not in the same file")
    cloud_token_file: str | None = Field(
        None,
        description="file with the token that the cloud is shown, alone; read again when it changes (docs/access.md)",
    )
    session: Literal["auto", "off", "only"] = Field(
        "auto",
        description="whether frames go to the cloud over a session (docs/sessions.md): `auto` (where the cloud has them, else by HTTP, each frame "
        "alone), `off`, or `only` (never by HTTP)",
    )
    split_point: SplitPointName = None
    codec: CodecName = None
    profile: str | None = Field(
        None,
        description="file that `python -m edge calibrate` wrote, for the codec `calibrated`, with `--inter` for `calibrated-inter` too; without one, a profile is fitted "
        "to drawn frames at the start. The planner takes a folder of such files as well, and never fits one itself",
    )
    objective: ObjectiveKind = "latency"
    min_agreement: MinAgreement = 0.95
    max_latency: MaxLatency = 0.0
    explore_s: float = Field(
        0.5,
        ge=0,
        le=3600,
        description="seconds between two frames that are sent only to measure the link, while the plan's own frames do not "
        "measure it; 0: none are sent, and a plan that sends nothing is never abandoned",
    )
    max_bytes_per_hour: int = Field(
        0,
        ge=0,
        le=2**50,
        description="data budget: how many bytes may travel to and from all clouds in any hour, whatever for; the planner chooses what "
        "fits, and once they are spent the edge answers by itself. A restart begins anew, without what was spent before it. 0: no limit",
    )
    picture_size: PictureSize = "network"
    still_threshold: StillThreshold = 0.0
    top: int = Field(5, ge=1, le=1000, description="how many classes a record holds")
    threshold: Threshold = None
    grayscale: Grayscale = False
    queue_size: QueueSize = 2
    head_workers: HeadWorkers = 1
    in_flight: int = Field(
        4,
        ge=1,
        le=256,
        description="how many requests may be under way at once; of several cameras each has one more of its own",
    )
    deadline_s: Deadline = 2.0
    verify_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the cloud's answers that the edge computes again beside the frames and compares, so that a cloud which "
        "computes wrongly, or lies, is found; each costs a tail",
    )
    frames: Frames = 0
    results: str | None = Field(
        None,
        description="file for one JSON record per frame, one a line, or `-` for stdout; `{hostname}` in it becomes the host's "
        "name, and `{camera}` the camera's. Records of a camera are added to the file, those of a recording replace it",
    )
    results_max_bytes: int = Field(
        0,
        ge=0,
        le=2**50,
        description="a file of records gets no longer: it is renamed to `NAME-TIME.jsonl` and another is begun; 0: no limit",
    )
    results_max_age_s: float = Field(
        0.0,
        ge=0,
        le=10 * 365 * 86400,
        description="so is one whose first record is so old; 0: no limit",
    )
    results_keep: int = Field(
        14,
        ge=1,
        le=10_000,
        description="how many files of records are kept besides the current one, where one of the two limits is set; none is kept "
        "for longer than so many times `results_max_age_s`",
    )
    events: fields.Events = None
    events_in_clear: fields.EventsInClear = False
    events_ca: fields.EventsCa = None
    events_certificate: fields.EventsCertificate = None
    events_key: fields.EventsKey = None
    events_password_file: fields.EventsPasswordFile = None
    events_secret_file: fields.EventsSecretFile = None
    events_mqtt: fields.EventsMqtt = "5"
    events_discovery: fields.EventsDiscovery = ""
    events_folder: waiting.EventsFolder = ""
    events_max_bytes: waiting.EventsMaxBytes = 64 << 20
    events_frames: waiting.EventsFrames = 3
    events_hold_s: waiting.EventsHold = 1.0
    events_lost_s: waiting.EventsLost = 2.0
    show: Literal["frames", "changes", "quiet"] = Field(
        "frames",
        description="what to print: `frames` (a line for each), `changes` (a progress line, and the answer whenever it changes), or `quiet`",
    )
    at_end: Literal["exit", "stay"] = Field(
        "exit",
        description="what to do at the end of the source: `exit`, or `stay`, so that the page and the metrics can be read",
    )
    status_address: str = Field(
        "127.0.0.1", description="address of the page, `/metrics`, `/healthz` and `/readyz`"
    )
    status_port: int = Field(
        8882,
        ge=0,
        le=65535,
        description="port of the page, `/metrics`, `/healthz` and `/readyz`; 0 takes a free one",
    )
    status_certificate: str | None = Field(
        None, description="PEM file of a certificate for the status port, which then speaks TLS only"
    )
    status_key: str | None = Field(None, description="PEM file of its key, if not in the same file")
    status_token_file: str | None = Field(
        None,
        description="file of the tokens that are let in to the page and `/metrics`, as the cloud's (`splitdnn token new NAME --rights page,metrics`); "
        "health stays open",
    )
    status_anonymous: str | None = Field(
        None,
        description="what everybody may do on the status port without a token: `nothing`, or rights such as `page,metrics`. By default nothing if there is a "
        "file of tokens; else all on this machine's own address, and on any other the edge does not start",
    )
    page_pictures: bool = Field(
        False,
        description="whether the page on the status port shows the cameras' pictures to whoever may see it (docs/page.md); masks and crops are "
        "kept to",
    )
    open_timeout_s: OpenTimeout = 10.0
    read_timeout_s: ReadTimeout = 10.0
    snapshot_fps: SnapshotFps = 1.0

    @property
    def cloud_urls(self) -> tuple[str, ...]:
        """The address of each cloud; as a rule there is one."""
        return urls_of(self.cloud_url)

    @field_validator("cloud_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        return ",".join(urls_of(value))

    @field_validator("proxy")
    @classmethod
    def _is_proxy(cls, value: str | None) -> str | None:
        return None if value is None else require_proxy(value)

    @field_validator("ca", "client_certificate")
    @classmethod
    def _needs_https(cls, value: str | None, info: ValidationInfo) -> str | None:
        urls = str(info.data.get("cloud_url", "https:")).split(",")
        if value and not any(url.startswith("https:") for url in urls):
            raise ValueError("needs an https:// address as --cloud-url, as frames would travel in the open")
        return value

    @field_validator("client_key", "status_key")
    @classmethod
    def _needs_its_certificate(cls, value: str | None, info: ValidationInfo) -> str | None:
        name = str(info.field_name).replace("key", "certificate")
        if value and not info.data.get(name):
            raise ValueError(f"needs --{name.replace('_', '-')} too")
        return value


class CalibrationSettings(CommonSettings):
    """Flags of `python -m edge calibrate`; settings that it shares with the edge are read from the edge's variables too."""

    source: Source = "synthetic"
    profile: str | None = Field(
        None, description="file to write; by default `<model>-<split point>.safetensors` in this folder"
    )
    target_agreement: float = Field(
        0.95,
        gt=0,
        le=1,
        description="how much of the unsplit network's answers is to be kept: for classes, the share of frames with its top class; for "
        "boxes, F1",
    )
    frames: int = Field(200, ge=24, le=2000, description="frames to calibrate with, spread over the source")
    inter: bool = Field(
        False,
        description="fit the codec `calibrated-inter` too, to runs of frames that follow each other: the source is then a video of at "
        "least 200 frames, which is read twice, or a camera",
    )
    grayscale: Grayscale = False
    open_timeout_s: OpenTimeout = 10.0
    read_timeout_s: ReadTimeout = 10.0
