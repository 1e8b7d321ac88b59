"""`splitdnn authority`: a CA and certificates by one command, and by the same command what has to be renewed."""

from __future__ import annotations

import shutil
import stat
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from kits.certificates import Certificates

from shared.security.tls.authority import Authority
from shared.security.tls.authority_command import main
from shared.security.tls.certificate import expiry_of


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_one_command_makes_all_and_changes_nothing_again(tmp_path, capsys):
    arguments = [str(tmp_path / "tls"), "cloud,cloud.example,10.0.0.7,fe80::1", "edge"]
    assert main(arguments) == 0
    files = sorted(path for path in (tmp_path / "tls").rglob("*") if path.is_file())
    assert [path.relative_to(tmp_path / "tls").as_posix() for path in files] == [
        "ca.crt", "ca.key", "cloud/ca.crt", "cloud/tls.crt", "cloud/tls.key", "edge/ca.crt", "edge/tls.crt", "edge/tls.key",
    ]  # fmt: skip
    assert {mode(path) for path in files if path.suffix == ".key"} == {0o600}
    before = {path: path.read_bytes() for path in files}
    assert main(arguments) == 0
    assert {path: path.read_bytes() for path in files} == before
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[2].split()[0].strip(",") for line in said] == [
        "a",
        "new",
        "new",
        "holds",
        "holds",
    ]


def test_what_it_makes_is_what_others_take_for_valid(tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("no openssl here")
    assert main([str(tmp_path), "cloud,127.0.0.1"]) == 0
    for purpose in ("sslserver", "sslclient"):
        done = subprocess.run(
            ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-verify_ip", "127.0.0.1",
             "-CAfile", str(tmp_path / "ca.crt"), str(tmp_path / "cloud" / "tls.crt")],
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        assert done.returncode == 0, (purpose, done.stderr)


def test_it_renews_what_ends_soon_what_is_for_others_and_what_another_ca_signed(tmp_path):
    made = Certificates.at(tmp_path)
    path = tmp_path / "cloud" / "tls.crt"
    now = datetime.now(UTC)
    other = Authority.new()
    for spoil in (
        lambda: made.issue("cloud", now=now - timedelta(days=300)),
        lambda: made.issue("cloud", ("127.0.0.1",)),
        lambda: other.write_issued(tmp_path / "cloud", *other.issue("cloud", ("127.0.0.1", "localhost"))),
        lambda: path.write_text("no certificate"),
        path.unlink,
        (tmp_path / "cloud" / "tls.key").unlink,
    ):
        made.issue("cloud")
        spoil()
        before = path.read_bytes() if path.exists() else b""
        assert main([str(tmp_path), "cloud,127.0.0.1,localhost"]) == 0
        assert path.read_bytes() != before
        assert (tmp_path / "cloud" / "tls.key").exists()
        assert expiry_of(path.read_text()) > (now + timedelta(days=364)).timestamp()
    for fewer in ("cloud", "cloud,127.0.0.1", "cloud,LOCALHOST"):
        before = path.read_bytes()
        assert main([str(tmp_path), fewer]) == 0
        assert path.read_bytes() == before, "it is for these as well"
    assert main([str(tmp_path), "cloud,cloud.example"]) == 0
    known = made.authority.known(path.read_bytes())
    assert known.addresses == ("cloud", "cloud.example", "localhost", "127.0.0.1"), "earlier addresses stay"
    assert main([str(tmp_path), "cloud,127.0.0.1,localhost", "--group"]) == 0
    assert mode(tmp_path / "cloud" / "tls.key") == 0o600, "what holds is left alone"
    assert main([str(tmp_path), "gate", "--group", "--days", "7"]) == 0
    assert mode(tmp_path / "gate" / "tls.key") == 0o640


def test_what_is_wrong_is_one_line(tmp_path, capsys):
    Authority.new().write(tmp_path / "whole")
    (tmp_path / "half").mkdir()
    shutil.copy(tmp_path / "whole" / "ca.crt", tmp_path / "half")
    (tmp_path / "odd").mkdir()
    for name in ("ca.crt", "ca.key"):
        (tmp_path / "odd" / name).write_text("x")
    (tmp_path / "file").write_text("")
    for arguments, wanted in {
        (f"{tmp_path}/half",): "has ca.crt alone; bring the other one back",
        (f"{tmp_path}/odd",): "ca.crt and ca.key are not those of an authority",
        (f"{tmp_path}/file/tls",): "Not a directory",
        (f"{tmp_path}/whole", "../edge"): "'../edge' is not an address",
        (f"{tmp_path}/whole", "edge,http://x"): "'http://x' is not an address",
        (f"{tmp_path}/whole", "edge", "--days", "0"): "--days 0; accepted: 1 to 3650",
        (f"{tmp_path}/whole", "edge", "--day", "9"): "unknown argument --day",
    }.items():
        assert main(arguments) == 2, arguments
        (line,) = capsys.readouterr().err.splitlines()
        assert wanted in line, (arguments, line)
    assert not (tmp_path / "edge").exists()
