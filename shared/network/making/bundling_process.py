"""The child process that makes a bundle: `python -m shared.bundling`. Its log lines become this process's own."""

from __future__ import annotations

import json
import logging
import re
import signal
import subprocess
import threading
from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING

from shared.errors import ModelError
from shared.process.child import run_module
from shared.process.exit import at_end

if TYPE_CHECKING:
    from pathlib import Path

    from shared.network.choice import NetworkChoice

_log = logging.getLogger(__name__)

_PROGRAM = run_module("shared.bundling")
_MAX_S = 3600.0
"""Beyond the download: no network takes so long, and nothing waits for ever."""
_LOG_LINE = re.compile(r"\S+ \S+ (?P<level>[A-Z]+) +(?P<logger>[\w.]+): (?P<text>.*)")
_ERROR = "splitdnn: "
_MAX_LINE = 4000

_children: set[subprocess.Popen[str]] = set()


@at_end
def _end_children() -> None:
    """A process that ends leaves no child behind that works on, for a minute and in a gigabyte of memory."""
    for child in tuple(_children):
        child.kill()


def make_in_child(choice: NetworkChoice, folder: Path, patience_s: float) -> None:
    """Have a child process fill the empty `folder`. Raises ModelError with what the child said."""
    command = [*_PROGRAM, json.dumps(asdict(choice)), str(folder), str(patience_s)]
    errors: list[str] = []
    last: deque[str] = deque(maxlen=1)
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, encoding="utf-8", errors="replace",
    ) as child:  # fmt: skip
        assert child.stderr
        _children.add(child)
        limit = threading.Timer(patience_s + _MAX_S, child.kill)
        limit.daemon = True
        limit.start()
        try:
            for line in child.stderr:
                text = line.rstrip()[:_MAX_LINE]
                if text.startswith(_ERROR):
                    errors.append(text.removeprefix(_ERROR))
                elif not _pass_on(text) and text.strip():
                    last.append(text.strip())
        except BaseException:  # an interrupt: nobody is left to wait for it
            child.kill()
            raise
        finally:
            limit.cancel()
            _children.discard(child)
    if child.returncode:
        raise ModelError("\n".join(errors) or _unexplained(child.returncode, choice, last))


def _pass_on(text: str) -> bool:
    """Log a line of the child's log as this process's own; False if it is none."""
    line = _LOG_LINE.fullmatch(text)
    if line is None:
        _log.debug("%s", text)
        return False
    level = logging.getLevelNamesMapping().get(line["level"], logging.INFO)
    logging.getLogger(line["logger"]).log(level, "%s", line["text"])
    return True


def _unexplained(status: int, choice: NetworkChoice, last: deque[str]) -> str:
    if status < 0:
        name = signal.Signals(-status).name
        why = f"killed by {name}" + (": is there enough memory?" if name == "SIGKILL" else "")
    else:
        why = f"exit status {status}: {' '.join(last) or 'no reason given'}"
    return f"model {choice.model}: the process that makes its bundle failed ({why})"
