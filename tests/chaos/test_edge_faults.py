"""What happens to the edge itself: its camera, its clock, its disk, its end."""

from __future__ import annotations

import json
import os
import resource
import time
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from kits import common as kit
from kits.chaos import captured, check_waits, paced, stop, summary, wait_for_cloud
from kits.sources import Camera

from bench.emulator.link import Link
from bench.harness.process import free_port
from bench.harness.scrape import scrape

if TYPE_CHECKING:
    import socket
    from pathlib import Path

FRAMES = 600
READ_TIMEOUT_S = 1
# The wall clock as Python reads it goes forward an hour and back an hour, every 0.7 s.
JUMPING = """
import time
def jumps(clock, hour):
    return lambda: clock() + hour * (int(time.monotonic() / 0.7) % 3 - 1)
time.time, time.time_ns = jumps(time.time, 3600), jumps(time.time_ns, 3600 * 10**9)
"""


class SlowCamera(Camera):
    """Sends about 25 pictures a second."""

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                client.recv(4096)
                client.sendall(self.HEAD)
                index = 0
                while self.on:
                    time.sleep(0.04)
                    if self.silent:
                        continue
                    index += 1
                    body = cv2.imencode(".jpg", np.full((48, 64, 3), index % 12 * 20, np.uint8))[1].tobytes()
                    head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(body)
                    client.sendall(head + body + b"\r\n")
            except OSError:
                return  # the reader went away


@pytest.fixture
def camera():
    camera = SlowCamera()
    yield camera
    if camera.on:
        camera.switch_off()


def drawn_clip(folder: Path) -> Path:
    path = folder / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (160, 120))
    assert writer.isOpened()
    for number in range(FRAMES):
        picture = np.full((120, 160, 3), number % 200, np.uint8)
        cv2.circle(picture, (number % 160, 60), 20, (0, 128, 255), thickness=-1)
        writer.write(picture)
    writer.release()
    return path


def test_a_camera_that_falls_silent_and_then_reboots_is_opened_again(chaos, camera):
    run = chaos.edge(camera.url, read_timeout_s=str(READ_TIMEOUT_S), queue_size="2")

    def said(what: str, times: int) -> None:
        kit.wait_for(
            lambda: sum(what in line for line in run.errors) >= times, f"{what!r} {times} times", 120
        )

    wait_for_cloud(run)
    camera.silent = True
    said("source lost", 1)
    silent_at = time.time()
    camera.silent = False
    said("source back", 1)
    wait_for_cloud(run)
    assert time.time() - silent_at < 15
    camera.switch_off()
    said("source lost", 2)
    time.sleep(1)
    assert run.is_up(), run.said()
    camera.switch_on()
    said("source back", 2)
    wait_for_cloud(run)
    stop(run)
    chaos.join(run)
    assert "token=secret" not in "\n".join(run.errors)


def test_sigterm_in_the_middle_of_a_file_answers_what_was_read(chaos, tmp_path):
    # About 25 frames/s, some of them on the link at any moment.
    chaos.link.change(Link(up_bits_per_s=3e6, delay_s=0.02))
    run = chaos.edge(str(drawn_clip(tmp_path)), queue_size="4")
    run.wait_for_records(40)
    records = stop(run)
    chaos.join(run)
    assert [record["frame"] for record in records] == list(range(len(records)))
    assert 40 <= len(records) < FRAMES
    counts = summary(run)
    assert (counts["frames in"], counts["dropped"]) == (len(records), 0)


def test_a_wall_clock_that_jumps_by_hours_moves_no_latency_and_loses_no_frame(chaos, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(JUMPING)
    jumping = {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    }
    frames = 150
    chaos.cloud.stop()
    chaos.restart_cloud(variables=jumping)
    try:
        run = chaos.edge(paced(frames), variables=jumping)
        records = run.finish()
    finally:
        chaos.cloud.stop()
        chaos.restart_cloud()
    chaos.join(run, frames)
    times = [captured(record) for record in records]
    assert max(times) - min(times) > 7000, "the clock has not jumped"
    assert {record["answered_by"] for record in records} == {"cloud"}
    for record in records:
        assert 0 < record["latency_ms"] < 2000, record
        assert all(0 <= ms < 2000 for ms in record["stages_ms"].values()), record
    check_waits(records)


def test_a_disk_that_is_full_for_a_while_costs_those_records_and_says_so(chaos, tmp_path):
    """A limit on the size of files stands in for a full disk; Python gets EFBIG instead of ENOSPC."""
    path, frames = tmp_path / "results.jsonl", 250
    port = free_port()
    run = chaos.edge(paced(frames), results=str(path), status_port=str(port), at_end="stay", show="quiet")

    def lines(count: int) -> None:
        kit.wait_for(lambda: path.read_bytes().count(b"\n") >= count, f"{count} records", 120)

    def lost() -> float:
        return scrape(f"http://127.0.0.1:{port}").value("splitdnn_edge_result_errors_total") or 0

    def done() -> bool:
        found = scrape(f"http://127.0.0.1:{port}").by_label("splitdnn_edge_frames_total", "outcome")
        return sum(found.values()) == frames

    lines(20)
    _, hard = resource.prlimit(run.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (path.stat().st_size + 100, hard))
    kit.wait_for(lambda: lost() >= 20, "20 records lost", 120)
    resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (hard, hard))
    kit.wait_for(done, "the last frame", 120)
    count = int(lost())
    run.terminate()
    run.finish(status=1)
    assert f"{count} records could not be written to {path}" in run.said()
    assert sum("records are lost until it can be written again" in line for line in run.errors) == 1, (
        run.said()
    )
    records, torn = [], 0
    for line in path.read_text().splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            torn += 1
    assert torn <= 1, "one line was cut off when the disk became full"
    assert len(records) + count == frames
    numbers = [record["frame"] for record in records]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == frames - 1, "the frames after there was room again were not written"
    assert {record["answered_by"] for record in records} == {"cloud"}
    answered = {line["frame_id"] for line in chaos.ledger() if line["outcome"] == "answered"}
    assert len(answered) == frames, "frames whose records were lost were not answered"
    assert {record["frame_id"] for record in records} <= answered
