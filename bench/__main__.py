"""`python -m bench`: measures the system. Its first word says what; without one it is `speed`."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMANDS = {
    "speed": "the speed report (about ten minutes; --quick: about one)",
    "load": "the load generator alone, against any cloud",
    "rate": "bytes per frame against accuracy (about ten minutes; --quick: about one)",
    "link": "the planner over emulated links (about half an hour; --quick: about one minute)",
}


def main(arguments: Sequence[str]) -> int:
    """Hand over to the command; each imports only what it needs, as the load generator must stay small."""
    word, rest = (
        ("speed", arguments)
        if not arguments or arguments[0].startswith("-")
        else (arguments[0], arguments[1:])
    )
    if arguments and arguments[0] in ("-h", "--help"):
        print("usage: python -m bench [command] [flags]; each command has its --help\n")
        print("\n".join(f"  {name:<8} {what}" for name, what in _COMMANDS.items()))
        return 0
    if word == "speed":
        from bench.speed.command import main as command
    elif word == "load":
        from bench.load.command import main as command
    elif word == "rate":
        from bench.rate.command import main as command
    elif word == "link":
        from bench.link.command import main as command
    else:
        print(f"python -m bench: no command {word!r}; there are: {', '.join(_COMMANDS)}", file=sys.stderr)
        return 2
    return command(rest)


if __name__ == "__main__":
    # As an interrupt: whatever was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
