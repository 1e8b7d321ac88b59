"""What the cloud says of itself in its answer to `GET /model`, and whether that fits this edge."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from edge.uplink.client import ProxyError, parse_json, refusal_of
from shared.errors import MismatchError, UplinkError
from shared.network.labels import labels_sha256
from shared.security.escape import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.uplink.client import CloudClient
    from shared.network.model import Model
    from shared.tasks.base import Task

_log = logging.getLogger(__name__)

_MEASURING_S = 60.0
"""The cloud measures its tails when it is first asked for their times, and answers after that."""


def read_model(status: int, body: bytes, url: str, cloud: str | None = None) -> dict[str, Any]:
    """The cloud's answer to `GET /model`, with at least its fingerprint. `cloud`: the id of the one that gave it.

    Raises UplinkError if the cloud is away, MismatchError if something answers that is not a SplitDNN cloud.
    """
    if status >= 500:
        refusal = refusal_of(status, body, cloud)
        if status == 503 and not isinstance(refusal, ProxyError):
            raise UplinkError("busy", "it is starting or stopping")
        raise UplinkError("unreachable", f"GET /model: {refusal}")
    said = parse_json(body)
    # Which may end while this edge runs; the second are a cloud's, and a proxy's.
    if said.get("reason") in ("unauthenticated", "forbidden") or status in (407, 408, 429):
        raise refusal_of(status, body)
    if status != 200 or "fingerprint" not in said:
        raise MismatchError(
            f"{url} answers, but not as a SplitDNN cloud (GET /model: {status}); "
            "give --cloud-url the address of `python -m cloud`"
        )
    return said


def serves(said: dict[str, Any], model: Model) -> bool:
    """Whether a cloud that answers this to `GET /model` runs the network, or still serves it beside a newer one."""
    others = said.get("also_serves")
    return model.fingerprint.hex() in [said["fingerprint"], *(others if isinstance(others, list) else [])]


def mismatch(said: dict[str, Any], url: str, model: Model, task: Task) -> str | None:
    """The line that says which two networks met, or which two tasks; None if both sides have the same."""
    if not serves(said, model):
        return (
            f"the cloud at {url} runs {shown(said.get('model'), 80)} with weights {shown(said.get('weights'), 80)} "
            f"({shown(said['fingerprint'], 16)}), this edge {model.name} with weights {model.weights} ({model.fingerprint.hex()}); "
            "give both the same --model and --weights, or the edge --model cloud"
        )
    theirs = said.get("task", task.name)  # its current network's; a cloud up to 0.5.0 does not say
    if said["fingerprint"] == model.fingerprint.hex() and theirs != task.name:
        return (
            f"the cloud at {url} answers with the task {shown(theirs, 80)}, this edge with {task.name}; give both the same --task, or "
            "the edge --model cloud"
        )
    return None


async def ask_tail_times(client: CloudClient, model: Model) -> dict[str, Any]:
    """The cloud's answer to `GET /tail-times`; empty if it has none for this network. Raises UplinkError."""
    status, body = await client.request("GET", "/tail-times", _MEASURING_S)
    if status == 404:  # an older cloud
        status, body = await client.request("GET", "/profile", _MEASURING_S)
    said = parse_json(body) if status == 200 else {}
    return said if said.get("fingerprint") == model.fingerprint.hex() else {}


class Offer:
    """Which split points and codecs the cloud has, as far as it has said."""

    def __init__(self) -> None:
        self._points: frozenset[str] | None = None
        """A cloud up to 0.6.0 does not say, and has none of several tensors."""
        self._codecs: frozenset[str | int] | None = None
        """Their names and ids; it may lack those of other packages. None: it did not say."""

    def take(self, said: dict[str, Any], *, is_current: bool) -> None:
        """`said` is an answer to `GET /model`; `is_current`: of the network in question, not a later one."""
        if is_current:
            points = said.get("split_points")
            self._points = frozenset(points) if isinstance(points, dict) else None
        codecs = said.get("codecs")  # ids by names; a cloud that is not trusted may have anything for them
        self._codecs = None
        if isinstance(codecs, dict):
            self._codecs = frozenset(codecs) | {each for each in codecs.values() if isinstance(each, int)}

    def decodes(self, split_point: str, codec: str | int) -> bool:
        """Whether the cloud has this split point and codec, by its name or id."""
        offered = self._points is None or split_point in self._points
        return offered and (self._codecs is None or codec in self._codecs)


class SameLabels:
    """Compares the edge's labels, which records hold whoever answers, with what clouds say of theirs; a difference is said once."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._digest = labels_sha256(labels)
        self._told = {self._digest}

    def compare(self, said: dict[str, Any]) -> None:
        """`said` is an answer to `GET /model`; a cloud up to 0.5.0 says nothing of its labels."""
        digest = said.get("labels_sha256")
        if isinstance(digest, str) and digest not in self._told:
            self._told = {self._digest, digest}
            _log.warning(
                "the cloud has other names for the classes than this edge (another --labels, or a bundle with others); records hold "
                "this edge's, whoever answers"
            )
