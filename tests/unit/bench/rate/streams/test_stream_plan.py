"""What is compared: every quality once, none twice, and what the build lacks is told."""

import pytest

from bench.rate.options import RateOptions
from bench.rate.streams import plan
from bench.rate.streams.plan import INTER, Setting, settings, stream_points
from shared.errors import SettingsError


@pytest.fixture
def everything(monkeypatch):
    monkeypatch.setattr(plan, "make_codec", lambda name: name)


@pytest.mark.usefixtures("everything")
def test_quick_is_a_part_of_everything():
    every, absent = settings("resnet50", ("layer3", "avgpool"), interval=50, quick=False)
    quick, _ = settings("resnet50", ("layer3", "avgpool"), interval=50, quick=True)
    assert absent == {}
    assert len({(each.split_point, each.spec, each.size, each.step) for each in every}) == len(every)
    assert set(quick) < set(every)
    assert {each.line for each in quick} < {each.line for each in every}
    assert {each.size for each in every if each.codec == "av1"} == {"camera", "network"}
    sticky = {each.line for each in every if each.codec == INTER and each.split_point == "layer3"}
    assert sticky == {f"layer3 {INTER} sticky={each}" for each in (0, 25, 50)}


def test_what_a_build_lacks_is_left_out_and_told(monkeypatch):
    def make(name):
        if name in ("av1", INTER):
            raise SettingsError(f"no {name} here")

    monkeypatch.setattr(plan, "make_codec", make)
    every, absent = settings("resnet50", ("layer3",), interval=50, quick=False)
    assert absent == {name: f"no {name} here" for name in ("av1", INTER)}
    assert not {each.codec for each in every} & {"av1", INTER}
    assert {"h264", "calibrated"} < {each.codec for each in every}


def test_a_setting_is_named():
    inter = Setting("layer3", INTER, "interval=50,sticky=25", step=1.8)
    assert (inter.spec, inter.line) == (
        "calibrated-inter:interval=50,sticky=25",
        "layer3 calibrated-inter sticky=25",
    )
    assert inter.name == "step=1.8,interval=50,sticky=25"
    assert Setting("input", "av1", "quality=30", "camera").line == "av1, camera's size"
    assert stream_points("resnet50", ()) == ("layer3", "avgpool")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--clip", "absent.mp4"], "--clip absent.mp4: no such file"),
        (["--calibrate-on", "absent.mp4"], "--calibrate-on absent.mp4: no such file"),
        (["--clip", __file__, "--calibrate-on", __file__], "it is measured"),
        (["--clip", f"{__file__},{__file__}"], "two of the same name"),
        (["--clip", __file__, "--source", "drawn"], "two reports"),
        (["--noise", "none,rain"], "--noise rain; accepted: none, gaussian, shot"),
        (["--clip-frames", "3"], "3: accepted are 12"),
    ],
)
def test_wrong_options_are_told(arguments, told, capsys):
    with pytest.raises(SystemExit):
        RateOptions.read(arguments)
    assert told in " ".join(capsys.readouterr().err.split())
