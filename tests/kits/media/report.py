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
from kits.media.chapters import chapters
from kits.media.reading import read
from kits.media.row import Outcome, Row

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
    time_ms = "" if outcome.time_s is None else f"{1e3 * outcome.time_s:.1f}"
    verdict = "MISS " + "; ".join(outcome.misses) if outcome.misses else outcome.verdict
    return f"{name:36} {outcome.frames:6} {outcome.worst!s:>9} {time_ms:>7}  {verdict}"


def _summary(chapter: str, outcomes: list[Outcome]) -> str:
    """A line of the table in docs/media.md."""
    frames = sum(outcome.frames for outcome in outcomes)
    worst = max(outcome.worst for outcome in outcomes)
    latest = max((outcome.time_s for outcome in outcomes if outcome.time_s is not None), default=None)
    time_ms = "" if latest is None else f"{1e3 * latest:.1f}"
    right = sum(not outcome.misses for outcome in outcomes)
    return f"| {chapter} | {len(outcomes)} | {frames} | {worst.percentile:.0f} | {worst.mean:.2f} | {time_ms} | {right} |"


def main(arguments: list[str]) -> int:
    """Print the table, and a summary as docs/media.md has it. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="make media", description=__doc__)
    parser.add_argument("--only", default="", help="chapters or files whose name has this in it")
    parser.add_argument("--misses", action="store_true", help="print no line for a file that is right")
    parser.add_argument("--keep", type=Path, help="a folder that keeps the files")
    options = parser.parse_args(arguments)
    asked = {
        chapter: [
            index for index, row in enumerate(rows) if options.only in chapter or options.only in row.name
        ]
        for chapter, rows in chapters().items()
    }
    start, summary, wrong = time.monotonic(), [], 0
    print(f"{'file':36} {'frames':>6} {'p99/mean':>9} {'ms off':>7}  verdict")
    with tempfile.TemporaryDirectory() as own, ProcessPoolExecutor(PROCESSES) as pool:
        folder = options.keep or Path(own)
        folder.mkdir(exist_ok=True)
        jobs = {
            chapter: [pool.submit(_numbered, chapter, index, folder) for index in indices]
            for chapter, indices in asked.items() if indices
        }  # fmt: skip
        for chapter, waiting in jobs.items():
            print(f"-- {chapter}")
            outcomes = [job.result() for job in waiting]
            for index, outcome in zip(asked[chapter], outcomes, strict=True):
                if outcome.misses or not options.misses:
                    print(_line(chapters()[chapter][index].name, outcome), flush=True)
            wrong += sum(bool(outcome.misses) for outcome in outcomes)
            summary.append(_summary(chapter, outcomes))
    total = sum(len(indices) for indices in asked.values())
    print("\n| chapter | files | frames | p99 | mean | ms off | right |\n|---|---|---|---|---|---|---|")
    print("\n".join(summary))
    print(f"\n{total} files, {total - wrong} right, in {time.monotonic() - start:.0f} s")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
