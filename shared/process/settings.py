"""One frozen settings object per process, read once from flags and `SPLITDNN_*` variables.

A flag beats a variable beats the default. `--cloud-url` and `SPLITDNN_CLOUD_URL` are the same setting. No other file
reads the environment.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from shared.errors import SettingsError, suggest
from shared.observing.logs import mask_credentials, mask_url
from shared.security.escape import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "SPLITDNN_"

# Both processes may be started from one shell, so each must know the other's names to tell a typo from a setting that
# belongs to the other side. scripts/settings.py writes this list from both settings classes and compose.yaml.
# fmt: off
KNOWN_NAMES = frozenset([
    # made by scripts/settings.py, checked by a test
    "MODEL", "WEIGHTS", "SEED", "LABELS", "RECIPE", "TASK", "SPLIT_POINT", "DEVICE", "ENGINE", "PRECISION", "CACHE_DIR",
    "BUNDLES_DIR", "THREADS", "LOG_LEVEL", "LOG_FORMAT", "NAME", "SOURCE", "CAMERAS", "CLOUD_URL", "PROXY", "CA",
    "CLIENT_CERTIFICATE", "CLIENT_KEY", "CLOUD_TOKEN_FILE", "SESSION", "CODEC", "PROFILE", "OBJECTIVE", "MIN_AGREEMENT",
    "MAX_LATENCY", "EXPLORE_S", "MAX_BYTES_PER_HOUR", "PICTURE_SIZE", "STILL_THRESHOLD", "TOP", "THRESHOLD", "GRAYSCALE",
    "QUEUE_SIZE", "HEAD_WORKERS", "IN_FLIGHT", "DEADLINE_S", "VERIFY_SHARE", "FRAMES", "RESULTS", "RESULTS_MAX_BYTES",
    "RESULTS_MAX_AGE_S", "RESULTS_KEEP", "EVENTS", "EVENTS_IN_CLEAR", "EVENTS_CA", "EVENTS_CERTIFICATE", "EVENTS_KEY",
    "EVENTS_PASSWORD_FILE", "EVENTS_SECRET_FILE", "EVENTS_MQTT", "EVENTS_DISCOVERY", "EVENTS_FOLDER", "EVENTS_MAX_BYTES",
    "EVENTS_FRAMES", "EVENTS_HOLD_S", "EVENTS_LOST_S", "SHOW", "AT_END", "STATUS_ADDRESS", "STATUS_PORT",
    "STATUS_CERTIFICATE", "STATUS_KEY", "STATUS_TOKEN_FILE", "STATUS_ANONYMOUS", "PAGE_PICTURES", "OPEN_TIMEOUT_S",
    "READ_TIMEOUT_S", "SNAPSHOT_FPS", "ADDRESS", "PORT", "WORKERS", "CERTIFICATE", "KEY", "CLIENT_CA", "TOKEN_FILE",
    "ANONYMOUS", "MAX_BODY_BYTES", "MAX_BUFFERED_BYTES", "QUEUE_CAPACITY", "MAX_BATCH", "BATCH_WAIT_MS", "TAIL_WORKERS",
    "COMPILED_TAILS", "LEGS", "SERVED_SPLIT_POINTS", "VIDEO_STREAMS", "REQUEST_TIMEOUT_S", "IDLE_TIMEOUT_S", "LEDGER",
    "LEDGER_MAX_BYTES", "LEDGER_KEEP", "AUDIT", "AUDIT_MAX_BYTES", "AUDIT_KEEP", "SERVE_BUNDLE", "PROFILE_FOLDER", "SIBLINGS",
    "SIBLING_BUNDLES", "SIBLINGS_TOKEN_FILE", "SIBLINGS_CA", "TRUSTED_PROXIES", "MAX_CONNECTIONS", "CLIENT_CONNECTIONS",
    "CLIENT_FRAMES", "SESSIONS", "SESSION_AGE_S", "SESSION_RESUME_S", "CLIENT_BODY_BYTES", "CLIENT_COMPUTE", "MIN_BODY_RATE",
    "WRITE_TIMEOUT_S", "DRAIN_S", "MEDIA", "WEIGHTS_DIR", "CAMERAS_DIR", "SECRETS_DIR", "CLOUD_PORT", "EDGE_PORT",
    "PROMETHEUS_PORT", "PROMETHEUS_URL", "GRAFANA_PORT", "GRAFANA_PASSWORD", "PROMETHEUS_IMAGE", "GRAFANA_IMAGE", "VERSION",
    "TORCH_INDEX", "BALANCER_PORT", "BALANCER_IMAGE", "BALANCER_NAMES", "CLOUD_REPLICAS", "CLOUD_CPUS", "EDGE_REPLICAS",
    "EDGE_MODEL", "REGISTRY", "STACK",
    # end of settings
])
# fmt: on

# What Kubernetes puts into every container for a Service whose name begins with ours: SPLITDNN_PORT=tcp://10.96.0.12:8881 and
# others of the same form, for any name of the Service and of its ports.
_PROTOCOL, _ADDRESS = "(?:tcp|udp|sctp)", r"[\da-fA-F.:]+"
_SERVICE_LINK = re.compile(
    rf"{PREFIX}(?:\w+_)?"
    rf"(?:SERVICE_HOST={_ADDRESS}|SERVICE_PORT(?:_\w+)?=\d+|PORT={_PROTOCOL}://\S+:\d+"
    rf"|PORT_\d+_{_PROTOCOL.upper()}(?:={_PROTOCOL}://\S+:\d+|_PROTO={_PROTOCOL}|_PORT=\d+|_ADDR={_ADDRESS}))"
)


class CommonSettings(BaseSettings):
    """Settings that edge and cloud must agree on, and those that every process has."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    model: str = Field(
        "resnet50",
        description="the network: a bundle's folder, or what a bundle is made of at the first start: a torchvision name, `timm:NAME`, "
        "`file.py:build` or `package.module:build` (these need torch), or an ONNX, OpenVINO or tflite file; both sides must run the "
        "same. An edge may be given `cloud`: it fetches what its cloud runs, keeps it, and takes every later one while frames flow "
        "(a folder of that name is `./cloud`)",
    )
    weights: str = Field(
        "auto",
        description="for networks from torch: `auto` (pretrained if they are here or can be fetched within 20 s, else random with a "
        "warning), a name of torchvision's weights API (`DEFAULT`, `IMAGENET1K_V1`, …), the path of a state dict, or `random`. "
        "Bundles and files hold their own",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="seed of random weights")
    labels: str | None = Field(
        None,
        description="file with the classes' names, for your own weights: one a line, numbered lines, or JSON; an edge's records hold "
        "the edge's names, whoever answers",
    )
    recipe: str | None = Field(
        None,
        description="changes to how a picture becomes the network's input, for a network that does not say it itself, as in "
        "`size=320x240,fit=letterbox,mean=0:0:0,std=1:1:1`; keys: size, fit (`crop`, `stretch` or `letterbox`), resize, pad, "
        "interpolation, channels, scale, mean, std",
    )
    task: str | None = Field(
        None,
        description="what the outputs mean, where the network does not say it itself: `classify`, `detect`, `segment` or `raw`, with "
        "options as in `detect:form=yolov8,threshold=0.3` (docs/tasks.md)",
    )
    split_point: str | None = Field(
        None,
        description="where the network is cut (see `--list-split-points`); by default the smallest tensor with at most "
        "85 % of the work before it (ResNet-50: `layer3`)",
    )
    device: str = Field("cpu", description="`cpu`, `cuda`, `cuda:1` or `auto`")
    engine: Literal["auto", "torch", "openvino"] = Field(
        "auto",
        description="engine that runs the network: `openvino`, `torch` (networks from torch only), or `auto`: torch on GPUs, else openvino",
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="precision the engine computes in: `float32`, `bfloat16`, `float16`, or `auto`, the fastest whose answers agree with "
        "the bundle's",
    )
    cache_dir: str = Field(
        "~/.cache/splitdnn",
        description="folder for bundles and what else takes long to make, for a fast start; empty: nothing is kept",
    )
    bundles_dir: str = Field(
        "",
        description="folder that is only read: bundles that `splitdnn prepare` has made with this as its `cache_dir` are not made again",
    )
    threads: int = Field(
        0, ge=0, le=1024, description="computing threads; 0: as many as the container has cores"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe level that is logged: `debug`, `info`, `warning` or `error`"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="format of log lines: `text` for people, `json` for machines"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the five are pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then variables without those that Kubernetes sets."""
        if isinstance(env_settings, EnvSettingsSource):
            variables = env_settings.env_vars.items()
            env_settings.env_vars = {
                name: text for name, text in variables if not _is_service_link(name, text)
            }
        return init_settings, env_settings

    def printable(self) -> str:
        """Every setting with its effective value, one per line, credentials masked."""
        return "\n".join(
            f"{PREFIX}{name.upper()}={mask_url('' if value is None else str(value))}"
            for name, value in self.model_dump().items()
        )


_Settings = TypeVar("_Settings", bound=CommonSettings)


def _is_service_link(name: str, text: str | None) -> bool:
    return bool(_SERVICE_LINK.fullmatch(f"{name.upper()}={text}"))


def make_parser(
    program: str, description: str, settings: type[CommonSettings], **actions: type[argparse.Action]
) -> argparse.ArgumentParser:
    """A parser with `--print-config` and one flag per setting, some with an action of their own. `read_settings` checks the values."""
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        exit_on_error=False,  # one line, as every other error
        allow_abbrev=False,
    )
    parser.add_argument("--print-config", action="store_true", help="show the effective settings and exit")
    for name, field in settings.model_fields.items():
        default = "" if field.default is None else f" (default: {field.default})"
        shape: dict[str, Any] = (
            {"action": argparse.BooleanOptionalAction}
            if field.annotation is bool
            else {"metavar": name.upper()} | ({"action": actions[name]} if name in actions else {})
        )
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            default=argparse.SUPPRESS,
            help=(field.description or "").replace("%", "%%") + default,
            **shape,
        )
    return parser


def read_settings(settings: type[_Settings], given: dict[str, Any]) -> _Settings:
    """Settings from flags (`given`), then variables, then defaults. Raises SettingsError with one line per problem."""
    unknown = [
        f"unknown variable {name}; {suggest(name.upper(), (PREFIX + known for known in sorted(KNOWN_NAMES)))}"
        for name, text in os.environ.items()
        if name.upper().startswith(PREFIX)
        and name.removeprefix(PREFIX) not in KNOWN_NAMES
        and not _is_service_link(name, text)
    ]
    if unknown:
        raise SettingsError("\n".join(unknown))
    try:
        return settings(**given)
    except ValidationError as error:
        raise SettingsError(
            "\n".join(_problem(settings, problem, given) for problem in error.errors())
        ) from None


def _problem(settings: type[CommonSettings], problem: Any, given: dict[str, Any]) -> str:
    name = str(problem["loc"][0])
    where = f"--{name.replace('_', '-')}" if name in given else PREFIX + name.upper()
    field = settings.model_fields.get(name)
    about = f" ({field.description})" if field else ""
    return f"{where}={mask_url(str(problem['input']))}: {problem['msg'].removeprefix('Value error, ')}{about}"


def print_error(error: Exception) -> None:
    """Print a start-up error to stderr, one line per problem, credentials masked."""
    for line in str(error).splitlines():
        # In one piece: another thread's log line may come between what print() writes and the end of its line.
        sys.stderr.write(f"splitdnn: {escaped(mask_credentials(line))}\n")


def parse_flags(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> dict[str, Any]:
    """The flags that were given. Raises SettingsError, which names the nearest known flag for an unknown one."""
    try:
        known, rest = parser.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise SettingsError(str(error)) from None
    if rest and not rest[0].startswith("-"):
        raise SettingsError(
            f"unexpected argument {rest[0]}; every setting has its flag, as in --source clip.mp4"
        )
    if rest:
        flags = re.findall(r"--[a-z][a-z-]*", parser.format_usage())
        raise SettingsError(f"unknown argument {rest[0]}; {suggest(rest[0].partition('=')[0], flags)}")
    return vars(known)


def opencv_capture_options() -> str:
    """What a user has set for the streams that OpenCV used to read: FFmpeg's options, as `key;value|key;value`."""
    return os.environ.get("OPENCV_FFMPEG_CAPTURE_OPTIONS", "")
