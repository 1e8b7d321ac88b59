"""`python -m cloud` in this process: what it says before it starts, and what it says when it cannot."""

from __future__ import annotations

import gc
import logging
import os
import re
import socket
from typing import TYPE_CHECKING

import pytest
from kits.cloud_process import ROOT, small

from cloud.__main__ import main
from cloud.config import CloudSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow  # processes, networks or compilations

unbound = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture(autouse=True)
def _unchanged(monkeypatch: pytest.MonkeyPatch, cache_dir: str) -> Iterator[None]:
    """A main program sets up a whole process; this one goes on afterwards."""
    for name in list(os.environ):
        if name.startswith("SPLITDNN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SPLITDNN_CACHE_DIR", cache_dir)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("tornado.access").setLevel(logging.NOTSET)


def complaints_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """What a user reads on stderr, log lines aside, when it cannot start."""
    assert main(arguments) == 2
    gc.collect()  # Tornado leaves a socket that it cannot bind to the garbage collector, which warns of it
    return [line for line in capsys.readouterr().err.splitlines() if not re.match(r"\d{4}-\d\d-\d\d ", line)]


def test_print_config_shows_every_setting_and_starts_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLITDNN_QUEUE_CAPACITY", "17")
    assert main(["--print-config", "--port", "9000"]) == 0
    lines = dict(line.split("=", 1) for line in capsys.readouterr().out.splitlines())
    assert lines.keys() == {f"SPLITDNN_{name.upper()}" for name in CloudSettings.model_fields}
    assert (lines["SPLITDNN_PORT"], lines["SPLITDNN_QUEUE_CAPACITY"]) == ("9000", "17")
    assert lines["SPLITDNN_ADDRESS"] == "127.0.0.1"


def impossible() -> list[tuple[list[str], str]]:
    return [
        (["--prot", "9000"], "unknown argument --prot; did you mean --port"),
        (["--source", "a.mp4"], "unknown argument --source"),
        (["stray"], "unexpected argument stray; every setting has its flag"),
        (["--port"], "argument --port: expected one argument"),
        (["--print-conf"], "unknown argument --print-conf; did you mean --print-config"),
        (["--port", "65536"], "--port=65536: "),
        (["--max-batch", "many"], "--max-batch=many: "),
        (["--log-level", "loud"], "--log-level=loud: "),
        (["--engine", "onnx"], "--engine=onnx: Input should be 'auto', 'torch' or 'openvino'"),
        (
            ["--precision", "int4"],
            "--precision=int4: Input should be 'auto', 'float32', 'bfloat16' or 'float16'",
        ),
        (["--key", "key.pem"], "--key=key.pem: needs --certificate too"),
        (["--client-ca", "ca.pem"], "--client-ca=ca.pem: needs --certificate too"),
        (["--certificate", "/nowhere", *small()], "--certificate /nowhere: No such file or directory"),
        (["--tail-workers", "65"], "--tail-workers=65: "),
        (["--model", "resnet19", "--port", "0"], "unknown model 'resnet19'; did you mean resnet18"),
        (
            ["--device", "tpu", *small()],
            "device 'tpu': tiny was made from /networks/tiny.onnx, not from a torch",
        ),
        (["--model", f"{ROOT}/docs", "--port", "0"], f"model {ROOT}/docs: this folder has no bundle.json"),
        (["--split-point", "pooll", *small()], "unknown split point 'pooll'; did you mean pool"),
        (
            ["--address", "192.0.2.1", "--port", "0", "--anonymous", "all"],
            "cannot listen on 192.0.2.1:0: ",
        ),
        (
            ["--address", "0.0.0.0", "--port", "0"],
            "--address 0.0.0.0 is reached from other machines, and nobody would need a token: give --token-file",
        ),
        (["--anonymous", "everything", "--port", "0"], "--anonymous everything: 'everything' is no right; "),
        (
            ["--token-file", "/nowhere/t", "--port", "0"],
            "file of tokens /nowhere/t: No such file or directory",
        ),
        (
            ["--token-file", f"sdn_{'x' * 43}", "--port", "0"],
            "file of tokens sdn_***: No such file or directory",
        ),
        (
            ["--ledger", "/nowhere/l.jsonl", *small()],
            "ledger /nowhere/l.jsonl: No such file or directory; give --ledger",
        ),
        (
            ["--ledger", f"{ROOT}/README.md", *small()],
            f"ledger {ROOT}/README.md: this file exists and holds no ledger; ",
        ),
    ]


@unbound
def test_what_it_cannot_start_with_is_one_line_and_exit_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, text in impossible():
        (line,) = complaints_of(capsys, *arguments)
        assert line.startswith(f"splitdnn: {text}"), arguments


def test_an_unknown_variable_is_told_the_nearest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLITDNN_PROT", "9000")
    (line,) = complaints_of(capsys)
    assert re.fullmatch(
        r"splitdnn: unknown variable SPLITDNN_PROT; did you mean .*\bSPLITDNN_PORT\b.*\?", line
    )


@unbound
def test_a_taken_port_is_one_line_that_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (line,) = complaints_of(capsys, "--port", str(port), *small()[2:])
    assert line.startswith(f"splitdnn: cannot listen on 127.0.0.1:{port}: Address already in use; stop what")
