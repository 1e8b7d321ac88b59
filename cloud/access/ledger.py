"""One line for every frame, written before its sender hears of it: what was decided, even if the process is killed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from shared.codecs import codec_of
from shared.errors import CodecError
from shared.observing.json_lines import STDOUT, JsonLines
from shared.observing.rotation import Rotation

if TYPE_CHECKING:
    from cloud.config import CloudSettings
    from cloud.metrics import CloudMetrics
    from shared.observing.counting.counter import Counter
    from shared.observing.file_metrics import FileMetrics
    from shared.wire.frame import Frame

    Outcome = Literal["answered", "refused", "abandoned"]

_UNKNOWN: dict[str, str | None] = {"frame_id": None, "split_point": None, "codec": None}


def open_ledger(settings: CloudSettings, metrics: CloudMetrics) -> JsonLines | None:
    """The ledger that the settings ask for, if any. Raises SettingsError."""
    rotation = Rotation(max_bytes=settings.ledger_max_bytes, keep=settings.ledger_keep)
    return kept_lines(
        settings.ledger, "ledger", rotation, errors=metrics.ledger_errors, metrics=metrics.ledger_files
    )


def kept_lines(
    path: str | None, what: str, rotation: Rotation, *, errors: Counter, metrics: FileMetrics
) -> JsonLines | None:
    """A file of the cloud's, `what` in messages; lines are added to what it holds. None without a path.

    It stays open until the process ends: its last lines are about connections that are closed then. Raises SettingsError.
    """
    if not path:
        return None
    # Standard output would hold up all frames when nothing reads it, so this name is a file's like any other.
    path = f"./{path}" if path == STDOUT else path
    return JsonLines(path, append=True, errors=errors, what=what, rotation=rotation, metrics=metrics)


class Entry:
    """The line of one frame, or those of all frames of one request; the first outcome is the one that is written."""

    def __init__(self, ledger: JsonLines | None, client: str) -> None:
        """Without a ledger nothing is kept. `client` is who sent them."""
        self._ledger, self.client = ledger, client
        self._frames: list[dict[str, str | None]] = []
        self._read_again = False

    def read_again(self) -> None:
        """The request is read once more from its beginning: what is noted next is in place of what was."""
        self._read_again = True

    def note(self, frame: Frame) -> None:
        """Remember what the line says of a frame, which could be parsed, whatever becomes of it."""
        if self._ledger:
            self._add(f"{frame.frame_id:016x}", frame.split_point, _codec_name(frame))

    def note_unnumbered(self, split_point: str, codec: str) -> None:
        """Remember the same of a picture's file, or of the tensors of one request, which have no frame's number."""
        if self._ledger:
            self._add(None, split_point, codec)

    def decide(self, outcome: Outcome, reason: str | None = None) -> None:
        """Write the line; to be called before the sender is told."""
        ledger, self._ledger = self._ledger, None
        if ledger:
            for known in self._frames or [_UNKNOWN]:
                ledger.write(
                    {
                        "frame_id": known["frame_id"],
                        "outcome": outcome,
                        "reason": reason,
                        "split_point": known["split_point"],
                        "codec": known["codec"],
                        "client": self.client,
                        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                    }
                )

    def _add(self, frame_id: str | None, split_point: str, codec: str | None) -> None:
        if self._read_again:
            self._frames, self._read_again = [], False
        self._frames.append({"frame_id": frame_id, "split_point": split_point, "codec": codec})


def _codec_name(frame: Frame) -> str | None:
    """The name of the codec of the frame's first tensor; None for a codec that this process does not know."""
    try:
        return codec_of(frame.tensors[0]).name
    except CodecError:
        return None
