"""`python -m bench.soak`: the same as `python -m bench soak`."""

import sys

from bench.__main__ import run

if __name__ == "__main__":
    run(["soak", *sys.argv[1:]])
