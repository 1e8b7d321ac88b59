"""`python -m shared.process.healthcheck URL`: exit status 0 if URL answers 200 within 3 s. Imports only the standard library,
to start quickly.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request


def main(url: str) -> int:
    """0 if `url` answers 200; otherwise 1, with the reason on stderr."""
    try:
        with urllib.request.urlopen(url, timeout=3) as response:  # noqa: S310 - the container's own address
            return 0 if response.status == 200 else 1
    except (urllib.error.URLError, OSError, ValueError) as error:
        print(f"{url}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
