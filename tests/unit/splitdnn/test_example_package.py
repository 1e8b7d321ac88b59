"""A codec, a source and a task of another package (tests/plugin) are used without a change of ours."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
from kits import example_package

from bench.rate import plan
from shared.codecs import registry
from shared.network.model import Model
from shared.tasks import registry as tasks
from shared.tasks.foreign.plugins import TaskPlugins
from shared.tasks.spec import TaskSpec, Wanted
from splitdnn import ContentError, SettingsError, known_codecs, make_codec, open_source, pack


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The package as an installer leaves it; every test reads the entry points anew."""
    example_package.install(tmp_path)
    for folder in (example_package.PACKAGE, tmp_path):
        monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(registry, "_plugins", registry.Plugins(lambda: entry_points(group=registry.GROUP)))
    plugins = TaskPlugins(lambda: entry_points(group=tasks.GROUP), tasks.KINDS)
    monkeypatch.setattr(tasks, "_plugins", plugins)


@pytest.fixture
def uninstall(installed, monkeypatch):
    """A function that takes the package away again."""

    def without():
        monkeypatch.setattr(registry, "_plugins", registry.Plugins(list))

    return without


def test_the_codec_has_about_twenty_lines():
    lines = Path(example_package.PACKAGE / "splitdnn_bfloat16.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 25


@pytest.mark.usefixtures("installed")
def test_the_codec_is_known_by_its_name(network, picture):
    assert known_codecs()["bfloat16"].id == 200
    split = network.split("layer2", "bfloat16")
    frame = split.to_frame(picture)
    (sent,) = frame.tensors
    assert (sent.codec_id, sent.params) == (200, b"\x08bfloat16")
    assert len(sent.payload) == 2 * np.prod(split.point.shape)
    (crossing,) = split.decode(pack(frame))
    np.testing.assert_allclose(crossing, split.head(split.prepare(picture))[0], rtol=2**-7, atol=1e-30)
    with pytest.raises(ContentError, match="no bfloat16 tensor"):
        make_codec("bfloat16").decode(sent.params, bytes(sent.payload)[:-1], sent.shape)


def test_a_cloud_answers_it_and_one_without_the_package_refuses_it_by_name(
    cloud, network, picture, uninstall
):
    split = network.split("layer2", "bfloat16")
    frame = split.to_frame(picture)
    answer = cloud.frame(pack(frame))
    assert answer.status == 200
    assert [each["class_id"] for each in answer.json["top"]] == [
        each["class_id"] for each in split.answer_frame(frame).top
    ]
    uninstall()
    refusal = cloud.frame(pack(frame)).refused(415, "bad_codec")
    assert refusal["error"].startswith("unknown codec 'bfloat16' (id 200); known: float32, ")
    assert "200" not in refusal["accepted"]


@pytest.mark.usefixtures("installed")
def test_the_report_of_rates_lists_it():
    for quick in (False, True):
        settings = plan.settings("resnet50", "layer3", quick=quick)
        assert ("bfloat16", "bfloat16") in [(each.family, each.spec) for each in settings]
        assert "bfloat16" not in [each.family for each in plan.settings("resnet50", "input", quick=quick)]


def test_without_the_package_its_name_is_unknown(uninstall):
    uninstall()
    with pytest.raises(SettingsError, match="unknown codec 'bfloat16'"):
        make_codec("bfloat16")
    assert "bfloat16" not in known_codecs()


@pytest.mark.usefixtures("installed")
def test_the_source_is_opened_by_its_name():
    source = open_source("stripes:frames=2", open_timeout_s=1, read_timeout_s=1)
    source.open()
    shots = [source.read() for _ in range(3)]
    assert [shot and shot.number for shot in shots] == [0, 1, None]
    picture = shots[0].picture
    assert (picture.shape, picture.dtype, picture.flags.c_contiguous) == ((240, 320, 3), np.uint8, True)
    with pytest.raises(SettingsError, match="stripes takes frames=N"):
        open_source("stripes:frame=2", open_timeout_s=1, read_timeout_s=1)


@pytest.mark.usefixtures("installed")
def test_the_task_reads_outputs_by_its_name(network):
    spec = TaskSpec("meter", "none", (("unit", "bar"),))
    task = tasks.make_task(Model("gauge", "file", network.recipe, (), bytes(8), spec, ("needle",)), Wanted())
    answer = task.answer((np.array([[1.5, 2.5]], np.float32),))
    assert (answer.headline(), answer.fields()) == ("2 bar", {"reading": 2.0})
    assert task.parse(answer.fields()) == answer
    rows = (np.array([[1.0], [2.0]], np.float32),)
    assert task.agreement(rows, (rows[0] + 0.25,)).share == 0.75
