"""`splitdnn token`."""

from __future__ import annotations

import io
import stat

import pytest

from shared.security.rights import GROUPS, Right
from shared.security.tokens.command import main
from shared.security.tokens.keyring import new_token, parse_expiry, parse_tokens
from splitdnn.command import main as splitdnn

NOW = parse_expiry("2026-11-29T12:00:00Z")


def run(capsys, *arguments):
    status = main(arguments, clock=lambda: NOW)
    out = capsys.readouterr()
    return status, out.out, out.err


def test_the_line_and_the_token_go_apart(capsys):
    status, line, token = run(capsys, "new", "gate", "--rights", "frames,profiles", "--expires", "90d")
    assert status == 0
    grant = parse_tokens(line).of_token(token.strip())
    assert (grant.name, grant.rights) == ("gate", {Right.FRAMES, Right.PROFILES})
    assert grant.expires == NOW + 90 * 86400
    assert token.strip() not in line
    assert len(line.splitlines()) == len(token.splitlines()) == 1


def test_a_token_for_a_file_is_read_by_its_owner_alone_and_replaces_none(capsys, tmp_path):
    path = tmp_path / "token"
    status, line, err = run(capsys, "new", "gate", "--rights", "edge", "--to", str(path))
    assert (status, err) == (0, "")
    assert parse_tokens(line).of_token(path.read_text().strip()).rights == GROUPS["edge"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = path.read_text()
    status, line, err = run(capsys, "new", "gate", "--rights", "edge", "--to", str(path))
    assert (status, line, path.read_text()) == (2, "", kept)
    assert "exists" in err


def test_when_a_token_ends(capsys):
    for text, expires in [
        ("12h", NOW + 12 * 3600),
        ("4w", NOW + 28 * 86400),
        ("-", None),
        ("2027-01-31", parse_expiry("2027-01-31")),
        ("2027-01-31T10:00:00Z", parse_expiry("2027-01-31T10:00:00Z")),
    ]:
        _, line, token = run(capsys, "new", "gate", "--rights", "json", f"--expires={text}")
        assert parse_tokens(line).of_token(token.strip()).expires == expires, text


def test_a_token_that_is_kept_elsewhere(capsys, monkeypatch):
    token = new_token()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{token}\n"))
    status, line, err = run(capsys, "hash", "grafana", "--rights", "metrics")
    assert (status, err) == (0, "")
    assert parse_tokens(line).of_token(token).name == "grafana"
    monkeypatch.setattr("sys.stdin", io.StringIO("password\n"))
    status, line, err = run(capsys, "hash", "grafana", "--rights", "metrics")
    assert (status, line) == (2, "")
    assert "password" not in err


def test_what_a_file_holds_is_listed_without_its_hashes(capsys, tmp_path):
    path = tmp_path / "tokens"
    _, old, _ = run(capsys, "new", "gate", "--rights", "frames", "--expires", "1h")
    _, new, _ = run(capsys, "new", "page", "--rights", "page")
    path.write_text(old + new)
    assert main(["list", str(path)], clock=lambda: NOW + 3600) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("gate  ")
    assert first.endswith("2026-11-29T13:00:00Z  frames  (expired)")
    assert second.endswith("-  page")
    assert old.split("sha256:")[1].strip() not in first


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["new", "a b", "--rights", "json"], "no name"),
        (["new", "gate", "--rights", "frame"], "did you mean frames"),
        (["new", "gate", "--rights", "json", "--expires", "soon"], "--expires soon"),
        (["new", "gate", "--rights", "json", "--expires", "2020-01-01"], "over already"),
        (["list", "/nowhere/tokens"], "No such file"),
        (["frob"], "frob"),
        (["new", "gate", "--rights", "json", "--to", "/nowhere/token"], "No such file"),
    ],
)
def test_what_is_not_taken_is_one_line(capsys, arguments, said):
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert err.startswith("splitdnn: ")


def test_it_is_a_command_of_splitdnn(capsys):
    assert splitdnn(["--help"]) == 0
    assert "  token " in capsys.readouterr().out
