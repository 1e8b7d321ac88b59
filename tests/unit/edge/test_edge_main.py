"""`python -m edge`, in this process: every mistake of a user is one line and exit status 2."""

from __future__ import annotations

import re

import numpy as np
import pytest
from kits.bundles import POINTS
from kits.edge_main import SMALL, refused

FLAGS = [
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
]


def test_flags(edge):
    for arguments, message in FLAGS:
        said = refused(edge, *arguments)
        assert re.match(message, said), (arguments, said)


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
    status, out, errors = edge(*SMALL, "--list-split-points")
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
    assert [row[0] for row in rows] == list(POINTS)
    for _, shape, elements, size, head, tail in rows:
        assert np.prod([int(side) for side in shape.split("x")]) == int(elements)
        assert int(size) == 4 * int(elements)
        assert float(head) + float(tail) == pytest.approx(float(rows[0][5]), abs=0.11)
    heads = [float(row[4]) for row in rows]
    assert heads == sorted(heads), "in the order of the way"
