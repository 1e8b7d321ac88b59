"""Tokens and the files that hold their hashes."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.limits import MAX_TOKENS
from shared.security.rights import GROUPS, Right, parse_rights, written
from shared.security.tokens import keyring as module
from shared.security.tokens.keyring import (
    TOKEN,
    Grant,
    Keyring,
    digest_of,
    new_token,
    parse_expiry,
    parse_tokens,
)

TOKENS = [new_token() for _ in range(3)]
HASHED = [hashlib.sha256(token.encode()).hexdigest() for token in TOKENS]


def test_a_token_is_new_and_long_and_of_one_form():
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert all(TOKEN.fullmatch(token) and len(token) == 47 for token in made)


def test_a_file_says_what_each_token_gives():
    keyring = parse_tokens(
        f"""\ufeff# edges
        gate  frames,profiles  2027-01-31T12:00:00Z  sha256:{HASHED[0]}   # until it is replaced

        gate\tedge\t-\tsha256:{HASHED[1]}
        """.removeprefix("\ufeff")
    )
    old, new = keyring.of_token(TOKENS[0]), keyring.of_token(TOKENS[1])
    assert (old.name, old.rights) == ("gate", {Right.FRAMES, Right.PROFILES})
    assert (old.expires, new.expires) == (parse_expiry("2027-01-31T12:00:00Z"), None)
    assert new.rights == GROUPS["edge"]
    assert not old.is_over(old.expires - 1)
    assert old.is_over(old.expires)
    assert keyring.of_token(TOKENS[2]) is None
    assert len(keyring) == 2


def test_what_is_no_token_is_not_looked_up():
    keyring = Keyring(
        [Grant("weak", GROUPS["all"], None, digest_of(word)) for word in ("", "secret", "sdn_")]
    )
    for word in ("", "secret", "sdn_"):
        assert keyring.of_token(word) is None, word


def test_a_lookup_is_by_hash_and_ends_in_a_comparison_that_takes_the_same_time(monkeypatch):
    """Whatever is given is hashed first: how far it agrees with a token cannot show in any time."""
    compared = []
    monkeypatch.setattr(
        module.hmac, "compare_digest", lambda one, two: compared.append((one, two)) or one == two
    )
    keyring = parse_tokens(f"a all - sha256:{HASHED[0]}")
    nearly = TOKENS[0][:-1] + ("A" if TOKENS[0][-1] != "A" else "B")
    assert keyring.of_token(nearly) is None
    assert compared == []
    assert keyring.of_token(TOKENS[0])
    assert compared == [(bytes.fromhex(HASHED[0]),) * 2]
    assert all(isinstance(key, bytes) and len(key) == 32 for key in keyring._grants)


def test_a_line_that_cannot_be_read_is_named_and_never_quoted():
    good = f"sha256:{HASHED[0]}"
    for line, said in [
        (f"gate all - {TOKENS[0]}", "it holds a token itself"),
        (TOKENS[0], "it holds a token itself"),
        (f"gate all {good}", "3 words"),
        (f"gate all - {good} more", "5 words"),
        (f"ga/te all - {good}", "its name"),
        (f"{'g' * 65} all - {good}", "its name"),
        (f"10.0.0.7 all - {good}", "its name"),
        (f"fd00::1 all - {good}", "its name"),
        (f"gate everything - {good}", "'everything' is no right"),
        (f"gate frames, - {good}", "'' is no right"),
        (f"gate all tomorrow {good}", "its expiry"),
        (f"gate all 2027-13-01 {good}", "its expiry"),
        (f"gate all - md5:{HASHED[0]}", "its last word"),
        (f"gate all - sha256:{HASHED[0][:-1]}", "its last word"),
        (f"gate all - sha256:{HASHED[0].upper()}", "its last word"),
        (f"one all - {good}\ntwo all - {good}", "the same token as one's"),
    ]:
        with pytest.raises(ValueError, match=r"^line \d+: ") as caught:
            parse_tokens(f"# first\n{line}\n")
        assert said in str(caught.value), line
        assert TOKENS[0] not in str(caught.value), line
        assert HASHED[0][:16] not in str(caught.value), line


def test_a_comment_ends_where_editors_end_it():
    """Or whoever reviews a change of the file would not see a token in it."""
    for separator in ("\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r"):
        hidden = f"evil all - sha256:{'0' * 64}"
        assert len(parse_tokens(f"# for the gate{separator}{hidden}\n")) == 0, repr(separator)
        assert len(parse_tokens(f"# for the gate\r\n{hidden}\r\n")) == 1


def test_more_tokens_than_are_accepted():
    lines = "\n".join(f"c{number} json - sha256:{number:064x}" for number in range(MAX_TOKENS + 1))
    with pytest.raises(ValueError, match=f"more tokens than the {MAX_TOKENS}"):
        parse_tokens(lines)


def test_a_grant_shows_no_hash_unless_it_is_written_down():
    (grant,) = parse_tokens(f"gate frames 2027-01-31 sha256:{HASHED[0]}")
    assert HASHED[0] not in repr(grant)
    assert str(grant) == f"gate frames 2027-01-31T00:00:00Z sha256:{HASHED[0]}"
    assert list(parse_tokens(str(grant))) == [grant]


@given(st.text(max_size=200))
def test_any_text_is_tokens_or_one_line_of_error(text):
    try:
        parse_tokens(text)
    except ValueError as error:
        assert str(error).startswith("line ")


@given(st.sets(st.sampled_from(Right), min_size=1))
def test_rights_are_read_as_they_are_written(rights):
    assert parse_rights(written(frozenset(rights))) == rights


def test_a_right_that_is_none_is_answered_with_the_nearest():
    for text, said in [("frame", "frames"), ("metric", "metrics"), ("Frames", "frames")]:
        with pytest.raises(ValueError, match=f"did you mean {said}"):
            parse_rights(text)
    assert parse_rights("edge, metrics") == GROUPS["edge"] | {Right.METRICS}
    assert parse_rights("all") == set(Right)
