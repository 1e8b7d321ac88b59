"""`python -m bench`: measures the system. Its first word is the command; without one it is `speed`."""

from __future__ import annotations

import importlib
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from shared.process.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMANDS = {
    "speed": "the speed report (about ten minutes; --quick: about one)",
    "start": "start to first answer, and memory at work: against another checkout, or by engine (minutes)",
    "scale": "a cloud alone by clients, threads, batches and workers (five minutes; --quick: less than one)",
    "mixed": "a cloud alone under clients of several split points, against another checkout (minutes; --quick: one)",
    "autoscale": "loads replayed through the autoscalers of deploy/kubernetes (minutes; --quick: seconds)",
    "cameras": "one edge with several cameras against one with a single camera (minutes; --quick: one)",
    "tracks": "the edge's tracker of objects on real clips, against one that follows pixels (a minute; --quick: seconds)",
    "load": "the load generator alone, against any cloud",
    "flood": "clients with tokens, over TLS, far above the capacity, half of whom leave (minutes; --quick: one)",
    "page": "the pages of edge and cloud: bytes, first paint, and the edge's CPU by its viewers (four minutes; --quick: less than one)",
    "rate": "bytes per frame against accuracy (about ten minutes; --quick: about one), and of streams of video (--clip: an hour; --quick: two minutes)",
    "link": "the planner over emulated links (up to an hour and a half; --quick: about one minute); --stream: streams over thin links (an hour and a quarter; --quick: two minutes)",
    "doors": "the same frames by POST /model and by the inference protocol: CPU and bytes (a minute; --quick: less)",
    "peers": "the same tail behind other model servers, each in an environment of its own (minutes; --quick: one, once installed)",
    "attack": "an honest client beside attackers with tokens of their own (a quarter of an hour; --quick: minutes)",
    "soak": "edges against a cloud under random faults (up to an hour; --quick: two minutes)",
    "events": "events to a broker and a webhook that fail at random, joined with the records (minutes; --quick: less than one)",
    "fleet": "a hundred edges and three clouds behind a balancer, under faults (six minutes; --quick: less than one)",
}
_ROOMS = {
    "flood": "load.flood",
    "scale": "load.scale",
    "mixed": "load.mixed",
    "peers": "load.peers",
    "events": "soak.events",
    "fleet": "soak.fleet",
    "autoscale": "load.autoscale",
    "doors": "load.doors",
    "page": "load.page",
    "tracks": "cameras.tracks",
}
"""Where a command lives that has no room of its own."""
_ONE_THREAD = ("rate", "link", "tracks")
"""What computes in this process: numpy, torch and OpenCV read the thread settings when they are imported."""


def main(arguments: Sequence[str]) -> int:
    """Run the command's own `main`; each imports only what it needs, as the load generator must stay small."""
    if arguments and arguments[0] in ("-h", "--help"):
        print("usage: python -m bench [command] [flags]; each command has its --help\n")
        print("\n".join(f"  {name:<9} {what}" for name, what in _COMMANDS.items()))
        return 0
    word, *rest = arguments if arguments and not arguments[0].startswith("-") else ("speed", *arguments)
    if word not in _COMMANDS:
        print(f"python -m bench: no command {word!r}; there are: {', '.join(_COMMANDS)}", file=sys.stderr)
        return 2
    if word in _ONE_THREAD:
        limit_threads(1)
    status: int = importlib.import_module(f"bench.{_ROOMS.get(word, word)}.command").main(rest)
    return status


def run(arguments: Sequence[str]) -> NoReturn:
    """Run a command as a process, and end with its status."""
    # Not at once: everything that was started is ended on the way out.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    sys.exit(main(arguments))


if __name__ == "__main__":
    run(sys.argv[1:])
