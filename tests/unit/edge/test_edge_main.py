"""`python -m edge`, in this process: every mistake of a user is one line and exit status 2."""

from __future__ import annotations

import functools
import gc
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from kits.http import http_server

from edge.__main__ import main
from shared.network import model as models
from shared.settings import KNOWN_NAMES, PREFIX

ROOT = Path(__file__).parents[3]
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING|ERROR) +[\w.]+: .+")
SMALL = [
    "--model",
    "resnet18",
    "--weights",
    "random",
    "--status-port",
    "0",
    "--threads",
    "1",
    "--engine",
    "torch",
]
NOWHERE = ["--cloud-url", "http://127.0.0.1:1"]
SHORT = ["--source", "synthetic:fps=0,frames=3,width=64,height=48"]
ENDLESS = ["--source", "synthetic:fps=0,width=64,height=48"]

cached_load_model = functools.cache(models.load_model)


@pytest.fixture(autouse=True)
def as_before(monkeypatch, cache_dir):
    """main() settles logs, threads and signals for a whole process; here it is only a part of one."""
    for name in KNOWN_NAMES:
        monkeypatch.delenv(PREFIX + name, raising=False)
    monkeypatch.setenv(f"{PREFIX}CACHE_DIR", cache_dir)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    for place in ("shared.network.model.load_model", "shared.load.load_model"):
        monkeypatch.setattr(place, cached_load_model)
    root, threads = logging.getLogger(), torch.get_num_threads()
    handlers, level = root.handlers[:], root.level
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    root.handlers[:], root.level = handlers, level
    torch.set_num_threads(threads)
    for number, handler in signals.items():
        signal.signal(number, handler)


@pytest.fixture
def edge(capfd):
    """Runs main; gives exit status, stdout and what is on stderr besides log lines."""

    def run(*arguments):
        status = main([str(each) for each in arguments])
        out, err = capfd.readouterr()
        run.log = [line for line in err.splitlines() if LOG_LINE.fullmatch(line)]
        return status, out, [line for line in err.splitlines() if not LOG_LINE.fullmatch(line)]

    return run


def refused(edge, *arguments):
    status, out, errors = edge(*arguments)
    assert status == 2
    assert out == ""
    assert len(errors) == 1, errors
    assert errors[0].startswith("splitdnn: ")
    return errors[0].removeprefix("splitdnn: ")


# --- flags and variables ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sourse", "0"], "unknown argument --sourse; did you mean --source"),
        (["--st", "0"], "unknown argument --st; "),
        (["clip.mp4"], "unexpected argument clip.mp4; every setting has its flag, as in --source clip.mp4"),
        (["--model"], "argument --model: expected one argument"),
        (["--grayscale=1"], "argument --grayscale/--no-grayscale: "),
        (["--frames", "many"], "--frames=many: "),
        (["--frames", "-1"], "--frames=-1: "),
        (["--deadline-s", "0"], "--deadline-s=0: "),
        (["--top", "0"], "--top=0: "),
        (["--show", "loud"], "--show=loud: .*'frames', 'changes' or 'quiet'"),
        (["--cloud-url", "cloud:8881"], "--cloud-url=cloud:8881: not a URL such as http://cloud:8881"),
        (["--status-port", "99999"], "--status-port=99999: "),
        (["--log-format", "xml"], "--log-format=xml: "),
        (["--picture-size", "full"], "--picture-size=full: .*'network' or 'source'"),
        (["--engine", "onnx"], "--engine=onnx: .*'auto', 'torch' or 'openvino'"),
        (["--precision", "half"], "--precision=half: .*'auto', 'float32', 'bfloat16' or 'float16'"),
    ],
)
def test_flags(edge, arguments, message):
    assert re.match(message, refused(edge, *arguments))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SPLITDNN_SOURSE", "0", "unknown variable SPLITDNN_SOURSE; did you mean SPLITDNN_SOURCE"),
        ("SPLITDNN_IN_FLIGHT", "0", "SPLITDNN_IN_FLIGHT=0: "),
        ("SPLITDNN_GRAYSCALE", "perhaps", "SPLITDNN_GRAYSCALE=perhaps: "),
    ],
)
def test_variables(edge, monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    assert refused(edge).startswith(message)


def test_several_mistakes_are_a_line_each(edge):
    status, _, errors = edge("--top", "0", "--frames", "x")
    assert status == 2
    assert [line.partition("=")[0] for line in errors] == ["splitdnn: --top", "splitdnn: --frames"]


def test_print_config_masks_credentials(edge, monkeypatch):
    monkeypatch.setenv("SPLITDNN_CLOUD_URL", "https://me:secret@cloud:8881/")
    status, out, errors = edge("--print-config", "--source", "rtsp://user:sec@ret@camera/live")
    assert (status, errors) == (0, [])
    assert "sec" not in out
    lines = dict(line.split("=", 1) for line in out.splitlines())
    assert lines["SPLITDNN_CLOUD_URL"] == "https://***@cloud:8881"
    assert lines["SPLITDNN_SOURCE"] == "rtsp://***@camera/live"
    assert lines["SPLITDNN_TOP"] == "5"
    assert lines["SPLITDNN_RESULTS"] == ""


def test_a_mistake_does_not_print_the_password(edge):
    assert "secret" not in refused(edge, "--cloud-url", "ftp://me:secret@cloud")


def test_list_split_points(edge):
    status, out, errors = edge("--model", "mobilenet_v2", "--list-split-points", "--threads", "1")
    assert (status, errors) == (0, [])
    header, *lines = out.splitlines()
    assert header.split() == [
        "split",
        "point",
        "shape",
        "elements",
        "float32",
        "B",
        "head",
        "MMACs",
        "tail",
        "MMACs",
    ]
    rows = [line.split() for line in lines]
    assert {len(row) for row in rows} == {6}
    assert rows[0][0] == "input"
    assert rows[-1][0] == "output"
    assert len({row[0] for row in rows}) == len(rows) > 20
    for _, shape, elements, size, head, tail in rows:
        assert np.prod([int(side) for side in shape.split("x")]) == int(elements)
        assert int(size) == 4 * int(elements)
        assert float(head) + float(tail) == pytest.approx(float(rows[0][5]), abs=0.11)
    heads = [float(row[4]) for row in rows]
    assert heads == sorted(heads), "in the order of the way"


# --- what the settings name and is not there ------------------------------------------------------------------------


@pytest.fixture
def things(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("no video" * 100)
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "three.txt").write_text("a\nb\nc\n")
    torch.save({"conv1.weight": torch.zeros(2)}, tmp_path / "foreign.pth")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "{}/nothing.mp4"], ".*/nothing.mp4: No such file or directory; a source is "),
        (["--source", "{}/empty"], ".*/empty: no pictures in this folder"),
        (["--source", "{}/text.mp4"], ".*/text.mp4: not a video"),
        (["--source", "97"], "no camera /dev/video97"),
        (["--source", "rtmp://127.0.0.1/x"], "rtmp://127.0.0.1/x: rtmp:// is no source; did you mean rtsp"),
        (["--source", "http://me:secret@127.0.0.1:1/v"], r"http://\*\*\*@127.0.0.1:1/v: cannot be opened"),
        (["--source", "synthetic:fbs=3"], "synthetic has no option fbs; accepted: fps"),
        (["--model", "resnet81"], "unknown model 'resnet81'; did you mean resnet18"),
        (["--weights", "IMAGENET"], "weights 'IMAGENET': no such file, and resnet18 has no weights of that name"),
        (["--weights", "{}/text.pth"], "weights .*/text.pth: not a state dict"),
        (["--weights", "{}/foreign.pth"], "weights file:foreign.pth do not fit resnet18: 101 parameters missing, 0 unknown, 1 of"),
        (["--labels", "{}/nothing.txt"], "labels .*/nothing.txt: "),
        (["--labels", "{}/three.txt"], "labels .*/three.txt: 3 lines, the classifier has 1000 classes"),
        (["--device", "quantum"], "device 'quantum' cannot be used here: "),
        (["--split-point", "layer33"], "unknown split point 'layer33'; did you mean layer3"),
        (["--codec", "int9"], "unknown codec 'int9'; did you mean int8"),
        (["--codec", "int8+zstd:level=99"], "level=99: out of range; accepted: 1 to 19"),
        (["--codec", "jpeg"], "codec jpeg carries pictures, and at .* choose --codec"),
        (["--results", "{}/missing/out.jsonl"], "results .*/missing/out.jsonl: No such file or directory; give --results"),
        (["--status-address", "192.0.2.1"], "cannot listen on 192.0.2.1:0 for /metrics: "),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # Tornado's, where it could not bind
def test_what_is_not_there(edge, things, arguments, message):
    arguments = [each.format(things) for each in arguments]
    assert re.match(message, refused(edge, *SMALL, *NOWHERE, *SHORT, "--open-timeout-s", "1", *arguments))
    gc.collect()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_the_status_port_is_taken(edge):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = refused(edge, *SMALL, *NOWHERE, *SHORT, "--status-port", port)
    assert message.startswith(f"cannot listen on 127.0.0.1:{port} for /metrics: ")
    gc.collect()


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (404, b"nginx", "http://127.0.0.1:.* answers, but not as a SplitDNN cloud"),
        (
            200,
            {"model": "resnet50", "weights": "DEFAULT", "fingerprint": "00"},
            "the cloud at http://127.0.0.1:.* runs resnet50 with weights DEFAULT .* this edge resnet18 with weights random:0",
        ),
    ],
)  # fmt: skip
def test_the_cloud_is_another_one(edge, status, body, message):
    with http_server(status, body) as (url, _):
        assert re.match(message, refused(edge, *SMALL, *SHORT, "--cloud-url", url))


def test_a_source_that_breaks_down_on_the_way(edge, tmp_path):
    """Found out while it runs, so what came of the run is said as well."""
    (tmp_path / "a.png").write_text("no picture")
    status, out, errors = edge(*SMALL, *NOWHERE, "--source", tmp_path)
    assert status == 2
    assert errors == [f"splitdnn: {tmp_path}: none of its 1 pictures can be read"]
    assert "frames in           0" in out


# --- runs ---------------------------------------------------------------------------------------------------------


def test_a_run_at_the_edge_alone(edge, tmp_path):
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((30, 40, 3), 60 * number, np.uint8))
    status, out, errors = edge(*SMALL, *NOWHERE, "--split-point", "output", "--source", tmp_path)
    assert (status, errors) == (0, [])
    assert [line[:13] for line in out.splitlines()[:4]] == [f"frame      {n} " for n in range(4)]
    assert "output none 0 B" in out
    assert "answered by edge    4" in out
    assert not any("WARNING" in line for line in edge.log), "the cloud was not to be asked"


def test_a_run_without_its_cloud(edge, tmp_path):
    results = tmp_path / "{hostname}.jsonl"
    status, out, errors = edge(*SMALL, *NOWHERE, *SHORT, "--show", "quiet", "--results", results, "--top", 2)
    assert (status, errors) == (0, [])
    assert out.startswith("\nframes in           3\n")
    records = [
        json.loads(line) for line in (tmp_path / f"{socket.gethostname()}.jsonl").read_text().splitlines()
    ]
    assert [(each["frame"], each["answered_by"], each["fallback"]) for each in records] == [
        (number, "edge", "circuit_open") for number in range(3)
    ]
    assert {len(each["top"]) for each in records} == {2}
    assert any("circuit open: no cloud at http://127.0.0.1:1" in line for line in edge.log)


def test_whatever_computes_the_classes_are_the_same(edge):
    tops = {}
    for engine, precision in (
        ("torch", "auto"),
        ("openvino", "float32"),
        ("auto", "float32"),
        ("auto", "auto"),
    ):
        status, out, _ = edge(
            *SMALL, *NOWHERE, *SHORT, "--show", "quiet", "--results", "-",
            "--engine", engine, "--precision", precision,
        )  # fmt: skip
        assert status == 0
        assert not any("WARNING" in line and "circuit" not in line for line in edge.log)
        chosen = next(line for line in edge.log if "engine " in line)
        assert re.search(f"engine {'(torch|openvino)' if engine == 'auto' else engine} in ", chosen)
        assert precision == "auto" or f" in {precision} on cpu, 1 threads" in chosen
        tops[engine, precision] = [
            {each["class_id"]: each["probability"] for each in json.loads(line)["top"]}
            for line in out.splitlines()
        ]
    expected = tops.pop(("torch", "auto"))
    assert len(expected) == 3
    for (_, precision), records in tops.items():
        for got, wanted in zip(records, expected, strict=True):
            assert next(iter(got)) == next(iter(wanted))
            for name, probability in got.items():
                close = 1e-4 if precision == "float32" else 0.05
                assert probability == pytest.approx(wanted.get(name, probability), abs=close)


@pytest.mark.parametrize(("size", "pixels"), [("network", 224 * 224), ("source", 64 * 48)])
def test_a_picture_travels_in_the_size_that_is_asked_for(edge, tmp_path, monkeypatch, size, pixels):
    async def believe(_uplink):
        """That there is a cloud: otherwise nothing is encoded."""

    monkeypatch.setattr("edge.uplink.uplink.Uplink.check", believe)
    results = tmp_path / "out.jsonl"
    pictures = ["--split-point", "input", "--codec", "raw", "--picture-size", size]
    status, _, errors = edge(*SMALL, *NOWHERE, *SHORT, *pictures, "--show", "quiet", "--results", results)
    records = [json.loads(line) for line in results.read_text().splitlines()]
    assert (status, errors, len(records)) == (0, [], 3)
    assert {(each["payload_bytes"], each["answered_by"]) for each in records} == {(3 * pixels, "edge")}


@pytest.mark.parametrize("plan", [["--split-point", "layer3"], ["--split-point", "output"]])
def test_a_size_of_pictures_that_do_not_travel_is_said_to_change_nothing(edge, plan):
    status, _, _ = edge(*SMALL, *NOWHERE, *SHORT, *plan, "--picture-size", "source", "--show", "quiet")
    assert status == 0
    assert [line for line in edge.log if "WARNING" in line and "picture_size=source changes nothing" in line]


def test_records_on_stdout_and_the_rest_on_stderr(edge):
    status, out, errors = edge(*SMALL, *NOWHERE, *SHORT, "--results", "-", "--frames", 2)
    assert status == 0
    assert [json.loads(line)["frame"] for line in out.splitlines()] == [0, 1]
    assert errors[0].startswith("frame      0 ")
    assert "frames in           2" in errors


def test_json_logs_are_json(edge):
    _, _, lines = edge(*SMALL, *NOWHERE, *SHORT, "--log-format", "json", "--show", "quiet")
    assert {json.loads(line)["level"] for line in lines} == {"info", "warning"}


def send_when(condition, number=signal.SIGTERM):
    """Send this process a signal once `condition` holds; only then, as without main() it would end the tests."""

    def watch():
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if condition():
                os.kill(os.getpid(), number)
                return
            time.sleep(0.01)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("source", [ENDLESS, ["--source", "synthetic:fps=200,width=64,height=48"]])
def test_a_signal_ends_it_with_every_frame_accounted_for(edge, tmp_path, number, source):
    results = tmp_path / "out"
    send_when(lambda: results.exists() and results.read_text().count("\n") > 2, number)
    status, out, errors = edge(*SMALL, *NOWHERE, *source, "--show", "quiet", "--results", results)
    assert (status, errors) == (0, [])
    counts = {line[:20].strip(): line[20:] for line in out.splitlines()[1:5]}
    answered = int(counts["answered by edge"])
    assert answered == results.read_text().count("\n") > 2
    assert int(counts["frames in"]) == answered + int(counts["dropped"])
    if source is ENDLESS:
        assert counts["dropped"] == "0"


def test_it_stays_for_its_metrics_if_asked(edge):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    seen, turns = [], []

    def get(path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return response.read().decode()

    def finished():
        try:
            seen.append(json.loads(get("/healthz"))["state"])
            count = re.search(
                r"^splitdnn_edge_event_loop_block_seconds_count (.+)$", get("/metrics"), re.MULTILINE
            )
            turns.append((seen[-1], float(count[1])))
        except OSError:
            return False
        return seen[-1] == "finished"

    send_when(finished)
    status, out, _ = edge(*SMALL, *NOWHERE, *SHORT, "--status-port", port, "--at-end", "stay")
    assert status == 0
    assert "answered by edge    3" in out
    assert seen[-1] == "finished"
    assert {count for state, count in turns if state == "starting"} <= {0}  # loading is no block
    assert turns[-1][1] > 3  # a frame takes several turns


def test_a_reader_that_has_had_enough():
    """`python -m edge | head -1`: no traceback."""
    command = [sys.executable, "-m", "edge", *SMALL, *NOWHERE, *ENDLESS, "--split-point", "output"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline().startswith("frame      0 ")
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(60) == 1
    assert [line for line in errors.splitlines() if not LOG_LINE.fullmatch(line)] == []


def test_records_that_could_not_be_written_are_exit_status_1(edge):
    status, _, errors = edge(*SMALL, *NOWHERE, *SHORT, "--results", "/dev/full")
    assert status == 1
    assert errors == ["splitdnn: 3 records could not be written to /dev/full"]
