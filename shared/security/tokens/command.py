"""`splitdnn token`: makes tokens, and says what a file of them holds.

    splitdnn token new gate --rights edge --expires 90d >> tokens     # the token is shown on stderr, once
    splitdnn token new gate --rights edge --to gate.token >> tokens   # or goes into a file that only its owner reads
    splitdnn token hash gate --rights edge < gate.token >> tokens     # for a token that is kept elsewhere
    splitdnn token list tokens

What goes to stdout is the line of a file of tokens: it holds no secret.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import SettingsError, SplitDNNError
from shared.process.settings import print_error
from shared.security.rights import GROUPS, Right, parse_rights, written
from shared.security.tokens.file import TokenFile
from shared.security.tokens.keyring import NAME, TOKEN, Grant, digest_of, new_token, parse_expiry, when

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SPAN = re.compile(r"([1-9]\d{0,4})([hdw])")
_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400}


def main(arguments: Sequence[str], *, clock: Callable[[], float] = time.time) -> int:
    """Run the command. Exit status 0; 2 for what it does not take."""
    try:
        given = _parser().parse_args(arguments)
        if given.action == "list":
            _list(given.file, clock())
        else:
            _make(given, clock())
    except argparse.ArgumentError as error:
        print_error(SettingsError(str(error)))
        return 2
    except SplitDNNError as error:
        print_error(error)
        return 2
    except OSError as error:
        print_error(SettingsError(f"{error.filename or 'standard output'}: {error.strerror}"))
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="splitdnn token",
        description="Make tokens, which the cloud (--token-file) and an edge's status port (--status-token-file) let in.",
        allow_abbrev=False,
        exit_on_error=False,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="new|hash|list")
    new = actions.add_parser(
        "new", help="make a token: its line goes to stdout, the token itself to stderr or --to"
    )
    known = actions.add_parser("hash", help="read a token from stdin, and write its line")
    for each in (new, known):
        each.add_argument(
            "name", help="whose it is; an edge's or a person's, and the client's name in metrics and logs"
        )
        each.add_argument(
            "--rights",
            required=True,
            help=f"what it gives: {', '.join(Right)}; or {' or '.join(GROUPS)} ({written(GROUPS['edge'])}; everything)",
        )
        each.add_argument(
            "--expires",
            default="-",
            help="when it ends: after 12h, 90d or 4w, at a time in UTC (2027-01-31T12:00:00Z), or never, which is the default",
        )
    new.add_argument("--to", help="new file for the token, which only its owner may read, instead of stderr")
    listed = actions.add_parser("list", help="say what a file of tokens holds")
    listed.add_argument("file")
    return parser


def _make(given: argparse.Namespace, now: float) -> None:
    if not NAME.fullmatch(given.name):
        raise SettingsError(
            f"{given.name[:80]!r} is no name; accepted: a letter, and up to 63 letters, digits and `_ . -`"
        )
    try:
        rights, expires = parse_rights(given.rights), _expiry(given.expires, now)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    if expires is not None and expires <= now:
        raise SettingsError(f"--expires {given.expires} is over already")
    if given.action == "hash":
        token = sys.stdin.readline(4096).strip()
        if not TOKEN.fullmatch(token):
            raise SettingsError("what stdin holds is no token; accepted: `sdn_` and 43 characters")
    else:
        token = new_token()
        _show(token, given.to)
    print(Grant(given.name, rights, expires, digest_of(token)), flush=True)


def _show(token: str, file: str | None) -> None:
    if file is None:
        print(token, file=sys.stderr, flush=True)  # as it is: print_error would mask it
        return
    # Never over another: who has it would be locked out.
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(f"{token}\n")


def _expiry(text: str, now: float) -> float | None:
    if found := _SPAN.fullmatch(text):
        return float(int(now) + int(found[1]) * _SECONDS[found[2]])
    try:
        return parse_expiry(text)
    except ValueError:
        raise ValueError(
            f"--expires {text[:40]}: accepted: 12h, 90d, 4w, 2027-01-31, 2027-01-31T12:00:00Z or -"
        ) from None


def _list(file: str, now: float) -> None:
    grants = list(TokenFile(str(Path(file))).keyring)
    width = max((len(grant.name) for grant in grants), default=0)
    for grant in grants:
        over = "  (expired)" if grant.is_over(now) else ""
        print(
            f"{grant.name:<{width}}  {grant.digest.hex()[:8]}  {when(grant.expires)}  {written(grant.rights)}{over}"
        )
