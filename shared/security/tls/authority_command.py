"""`splitdnn authority FOLDER NAME[,ADDRESS…] …`: a CA of one's own, and a certificate for each machine."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import SettingsError, SplitDNNError
from shared.process.settings import parse_flags, print_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.security.tls.authority import Authority, Known

_MAX_DAYS = 3650
_DESCRIPTION = """Make a CA of your own in FOLDER, unless one is there, and for each machine the folder FOLDER/NAME with tls.crt, tls.key
and ca.crt. Called again, it makes those anew that have less than a third of their days left or lack an address. ca.key, which
signs, belongs on no machine that runs a cloud or an edge."""


def main(arguments: Sequence[str]) -> int:
    """Make what is missing or ends soon. Exit status 0, or 2 with one line on stderr."""
    try:
        _run(arguments)
    except SystemExit as ended:  # of --help
        return int(ended.code or 0)
    except SplitDNNError as error:
        print_error(error)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="splitdnn authority", description=_DESCRIPTION, exit_on_error=False, allow_abbrev=False
    )
    parser.add_argument("folder", type=Path, help="where the CA is kept")
    parser.add_argument(
        "machines",
        nargs="*",
        metavar="NAME[,ADDRESS…]",
        help="a machine's name, and what else it is reached by, as in cloud,cloud.example,10.0.0.7",
    )
    parser.add_argument("--days", type=int, default=365, help="how long the certificates hold (default: 365)")
    parser.add_argument(
        "--group",
        action="store_true",
        help="let the folder's group read the keys as well, for programs that run as another user",
    )
    return parser


def _run(arguments: Sequence[str]) -> None:
    given = parse_flags(_parser(), arguments)
    if not 1 <= given["days"] <= _MAX_DAYS:
        raise SettingsError(f"--days {given['days']}; accepted: 1 to {_MAX_DAYS}")
    try:
        from shared.security.tls.authority import Authority  # noqa: PLC0415 - the package may be missing
    except ImportError:
        raise SettingsError(
            "making certificates needs the package cryptography: pip install 'splitdnn[authority]'"
        ) from None
    folder: Path = given["folder"]
    there = [name for name in ("ca.crt", "ca.key") if (folder / name).exists()]
    if len(there) == 1:
        raise SettingsError(
            f"{folder} has {there[0]} alone; bring the other one back, or move it away for a new CA"
        )
    if there:
        authority = Authority.read(folder)
    else:
        authority = Authority.new()
        authority.write(folder)
        print(f"{folder}/ca.crt: a new CA")
    for machine in given["machines"]:
        name, *addresses = machine.split(",")
        _issue(authority, folder, name, addresses, given["days"], group=given["group"])


def _issue(
    authority: Authority, folder: Path, name: str, addresses: list[str], days: int, *, group: bool
) -> None:
    from shared.security.tls.authority import spelled  # noqa: PLC0415 - as above

    own, now = folder / name, datetime.now(UTC)
    known = _known(authority, own / "tls.crt")
    wanted = {spelled(each) for each in (name, *addresses)}
    ends_soon = known is None or known.end - now <= timedelta(days=days / 3)
    if known and not ends_soon and wanted <= set(known.addresses) and (own / "tls.key").exists():
        print(f"{own}/tls.crt: holds until {known.end:%Y-%m-%d}")
        return
    addresses = [*addresses, *(known.addresses if known else ())]  # whoever reaches it by those goes on
    certificate, key = authority.issue(name, addresses, days=days, now=now)
    authority.write_issued(own, certificate, key, key_mode=0o640 if group else 0o600)
    print(f"{own}/tls.crt: new, holds for {days} days")


def _known(authority: Authority, path: Path) -> Known | None:
    try:
        return authority.known(path.read_bytes())
    except OSError:
        return None
