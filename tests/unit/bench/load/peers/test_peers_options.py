"""What `python -m bench peers` is told, and whom it can run."""

from pathlib import Path

import pytest

from bench.load.peers.command import ready
from bench.load.peers.environments import SkippedError
from bench.load.peers.kept import Kept
from bench.load.peers.known import BARE, CONTENDERS, OURS
from bench.load.peers.options import PeersOptions


def test_all_are_compared_by_default_in_the_order_of_the_table():
    assert PeersOptions.read([]).chosen() == list(CONTENDERS)
    assert PeersOptions.read(["--only", "ray,splitdnn"]).chosen() == [OURS, "ray"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--only", "torchserve"], "there are bare, splitdnn, kserve"),
        (["--carry", "jpeg"], "accepted are uint8, float32"),
        (["--codec", "calibrated"], "accepted are int8, int8+zstd, uint8, uint8+zstd"),
        (["--precision", "int4"], "accepted are float32"),
        (["--clients", "4"], "two different numbers"),
        (["--clients", "4,4"], "two different numbers"),
        (["--seconds", "0"], "--seconds"),
    ],
)
def test_what_cannot_be_measured_is_refused(flags, said, capsys):
    with pytest.raises(SystemExit) as ended:
        PeersOptions.read(flags)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_few_clients_come_before_many():
    assert PeersOptions.read(["--clients", "32,2"]).clients == (2, 32)


def test_a_peer_that_cannot_be_installed_is_skipped_and_the_others_run(tmp_path):
    def environment(name, home, install_s, say):
        assert (home, install_s) == (tmp_path, 7.0)
        if name == "ray":
            raise SkippedError("not installed: ERROR: no wheel for this processor")
        return home / name / "bin" / "python"

    said = []
    found = ready([BARE, "kserve", "ray"], tmp_path, 7.0, said.append, environment)
    assert list(found) == [BARE, "kserve"]
    assert found["kserve"] == tmp_path / "kserve" / "bin" / "python"
    assert len(said) == 1
    assert said[0].startswith("Ray Serve 2.")
    assert said[0].endswith("is skipped: not installed: ERROR: no wheel for this processor")


def test_rounds_are_kept_and_added_to(tmp_path):
    path = tmp_path / "new" / "rounds"
    Kept(path, "resnet50 layer3").add({"name": "ray", "start_s": 1.0})
    Kept(path, "resnet50 layer3").add({"name": "ray", "start_s": 2.0})
    assert [life["start_s"] for life in Kept(path, "resnet50 layer3").lives["ray"]] == [1.0, 2.0]


def test_a_line_that_was_cut_short_is_left_out_and_the_next_stands_on_its_own(tmp_path):
    path = tmp_path / "rounds"
    Kept(path, "resnet50 layer3").add({"name": "ray", "start_s": 1.0})
    path.write_text(path.read_text() + '{"name": "ray", "sta')
    Kept(path, "resnet50 layer3").add({"name": "ray", "start_s": 2.0})
    assert [life["start_s"] for life in Kept(path, "resnet50 layer3").lives["ray"]] == [1.0, 2.0]


def test_a_file_of_something_else_stays_as_it_is(tmp_path):
    path = tmp_path / "notes"
    path.write_text("a line\nand half of one")
    with pytest.raises(RuntimeError, match="not a file of rounds"):
        Kept(path, "resnet50 layer3")
    assert path.read_text() == "a line\nand half of one"


def test_rounds_of_another_measurement_are_not_mixed_in(tmp_path):
    path = tmp_path / "rounds"
    Kept(path, "resnet50 layer3")
    with pytest.raises(RuntimeError, match="another measurement"):
        Kept(path, "resnet50 layer4")
    path.write_text("no rounds\n")
    with pytest.raises(RuntimeError, match="not a file of rounds"):
        Kept(path, "resnet50 layer3")


def test_what_changes_the_figures_is_another_measurement():
    given = [
        [], ["--model", "vit_b_16"], ["--split-point", "layer4"], ["--carry", "float32"], ["--codec", "int8"], ["--precision", "bfloat16"], ["--threads", "77"],
        ["--clients", "1,8"], ["--max-batch", "4"], ["--batch-wait-ms", "3"], ["--seconds", "9"], ["--ours=--tail-workers=2"],
    ]  # fmt: skip
    assert len({PeersOptions.read(flags).measurement for flags in given}) == len(given)
    assert len({PeersOptions.read(["--rounds", rounds]).measurement for rounds in ("1", "5")}) == 1


def test_without_a_file_rounds_are_kept_until_the_end():
    kept = Kept(None, "")
    kept.add({"name": "ray"})
    assert kept.lives == {"ray": [{"name": "ray"}]}


def test_the_folder_may_be_the_users():
    assert PeersOptions.read(["--folder", "~/peers"]).home == Path.home() / "peers"
