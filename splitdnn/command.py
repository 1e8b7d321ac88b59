"""`splitdnn`, the command line: its first word names the command, and the rest is passed on unread."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from shared import __version__
from shared.errors import suggest
from shared.process.exit import leave_on_interrupt, leave_on_sigterm, run_process

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_COMMANDS = {
    "edge": "read video, run the head of a network, send what crosses, print the answers",
    "cloud": "answer frames: run the tail of a network behind any split point",
    "bundle": "make a network of your own, or torchvision's, into a folder that edge and cloud run",
    "back": "go back to the bundle that the last one replaced",
    "prepare": "make the bundle that the settings name, unless it is in the cache",
    "authority": "make certificates for cloud and edges, signed by a CA of your own",
    "token": "make tokens, which say who may use a cloud and for what",
    "calibrate": "fit the codec `calibrated` to footage of your own",
    "doctor": "say what is wrong with a machine, its network, its cameras, its cloud and the link, and what to do",
    "bench": "measure: speed, start, load, rate, link, soak",
}


def main(arguments: Sequence[str]) -> int:
    """Start what the first word names. Returns its exit status; 0 for --help and --version; 2 for an unknown word."""
    word, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if word in ("-h", "--help"):
        print(_usage())
        return 0
    if word in ("-V", "--version"):
        print(f"splitdnn {__version__}")
        return 0
    if not word:
        print(_usage(), file=sys.stderr)
        return 2
    if word not in _COMMANDS:
        print(f"splitdnn: unknown command {word!r}; {suggest(word, _COMMANDS)}", file=sys.stderr)
        return 2
    return _start(word, rest)


def _start(word: str, rest: Sequence[str]) -> int:
    # Each imports only what it needs, and torch only after it has limited its threads.
    if word == "bench":
        from bench.__main__ import run as bench  # noqa: PLC0415

        bench(rest)
    if word in ("bundle", "prepare"):
        leave_on_sigterm()
    command: Callable[[Sequence[str]], int]
    if word == "cloud":
        from cloud.__main__ import main as command  # noqa: PLC0415
    elif word == "bundle":
        from splitdnn.calibrating import bundle as command  # noqa: PLC0415
    elif word == "back":
        from shared.bundling.command import back as command  # noqa: PLC0415
    elif word == "authority":
        from shared.security.tls.authority_command import main as command  # noqa: PLC0415
    elif word == "token":
        from shared.security.tokens.command import main as command  # noqa: PLC0415
    elif word == "doctor":
        from splitdnn.doctor.command import main as command  # noqa: PLC0415
    elif word == "prepare":
        from splitdnn.prepare import main as command  # noqa: PLC0415
    else:
        from edge.__main__ import main as command  # noqa: PLC0415

        rest = ["calibrate", *rest] if word == "calibrate" else rest
    return run_process(lambda: command(rest))


def _usage() -> str:
    width = max(map(len, _COMMANDS))
    lines = [f"  {name:<{width}}  {what}" for name, what in _COMMANDS.items()]
    return "\n".join(
        [
            "usage: splitdnn COMMAND [FLAGS]; each command has its --help",
            "",
            *lines,
            "",
            "  --version, --help",
        ]
    )


def run() -> None:
    """The console script."""
    leave_on_interrupt()
    sys.exit(main(sys.argv[1:]))
