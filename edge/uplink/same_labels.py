"""Whether both sides have the same names for the classes. The edge's own are what records hold, whoever answers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from shared.network.labels import labels_sha256

if TYPE_CHECKING:
    from collections.abc import Sequence

_log = logging.getLogger(__name__)


class SameLabels:
    """Compares the edge's labels with what clouds say of theirs; a difference is said once."""

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
