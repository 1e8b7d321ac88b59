"""Read every file of the table: `make media`. Exit status 1 if one is wrong."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from kits.ffmpeg import FFmpegError
from media.reading import read
from media.row import Outcome, Row
from media.chapters import chapters

PROCESSES = 2


def outcome_of(row: Row, folder: Path) -> Outcome:
    """Make the file of this row in `folder`, read it, and judge."""
    path = folder / row.name
    try:
        row.maker.write(path)
        return row.expected.judge(path, row.maker, read(path))
    except FFmpegError as error:
        return Outcome(misses=[f"ffmpeg: {str(error).rpartition('exit status')[2]}"])
    except Exception as error:
        return Outcome(
            misses=[f"{type(error).__name__}: {error} {traceback.extract_tb(error.__traceback__)[-1]}"]
        )


def _numbered(chapter: str, index: int, folder: Path) -> Outcome:
    return outcome_of(chapters()[chapter][index], folder)


def _line(name: str, outcome: Outcome) -> str:
    time_s = "" if outcome.time_s is None else f"{1e3 * outcome.time_s:.1f}"
    verdict = "MISS " + "; ".join(outcome.misses) if outcome.misses else outcome.verdict
    return f"{name:34} {outcome.frames:6} {outcome.worst!s:>9} {time_s:>7}  {verdict}"


def main(arguments: list[str]) -> int:
    """Print the table. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="make media", description=__doc__)
    parser.add_argument("--only", default="", help="chapters or files whose name has this in it")
    parser.add_argument("--misses", action="store_true", help="print nothing else")
    parser.add_argument("--keep", type=Path, help="a folder that keeps the files")
    options = parser.parse_args(arguments)
    asked = [
        (chapter, index, row)
        for chapter, rows in chapters().items()
        for index, row in enumerate(rows)
        if options.only in chapter or options.only in row.name
    ]
    start, wrong = time.monotonic(), 0
    print(f"{'file':34} {'frames':>6} {'p99/mean':>9} {'ms off':>7}  verdict")
    with tempfile.TemporaryDirectory() as own, ProcessPoolExecutor(PROCESSES) as pool:
        folder = options.keep or Path(own)
        folder.mkdir(exist_ok=True)
        jobs = [pool.submit(_numbered, chapter, index, folder) for chapter, index, _ in asked]
        before = ""
        for (chapter, _, row), job in zip(asked, jobs, strict=True):
            if chapter != before and not options.misses:
                print(f"-- {chapter}")
            before, outcome = chapter, job.result()
            wrong += bool(outcome.misses)
            if outcome.misses or not options.misses:
                print(_line(row.name, outcome), flush=True)
    print(f"{len(asked)} files, {len(asked) - wrong} right, in {time.monotonic() - start:.0f} s")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
