"""Who is let in, and by what."""

from __future__ import annotations

import pytest

from shared.errors import ForbiddenError, RequestError, UnauthenticatedError
from shared.security.gate import NOBODY, Gate, Shown
from shared.security.rights import NOTHING, OPEN, Right, one_of
from shared.security.sessions import Sessions
from shared.security.tokens.keyring import Grant, Keyring, digest_of, new_token

TOKEN, ROTATED, OLD = new_token(), new_token(), new_token()
NOW = 1_800_000_000.0
FRAMES, METRICS = one_of(Right.FRAMES), one_of(Right.METRICS)


class File:
    """As a file of tokens, that changes at once."""

    def __init__(self, *grants):
        self.keyring = Keyring(grants)


def grant(token=TOKEN, *rights, name="gate", expires=None):
    return Grant(name, frozenset(rights or {Right.FRAMES}), expires, digest_of(token))


def bearer(token):
    return Shown(authorization=[f"Bearer {token}"])


@pytest.fixture
def file():
    return File(grant(), grant(ROTATED), grant(OLD, name="old", expires=NOW))


@pytest.fixture
def gate(file):
    return Gate(file, NOTHING, Sessions(clock=lambda: 0.0), clock=lambda: NOW)


def test_a_token_lets_in_by_its_rights(gate):
    for token in (TOKEN, ROTATED):  # two of one client
        caller = gate.enter(bearer(token), FRAMES)
        assert (caller.name, caller.rights) == ("gate", {Right.FRAMES})
    with pytest.raises(ForbiddenError, match="token of gate does not give the right metrics") as caught:
        gate.enter(bearer(TOKEN), METRICS)
    assert caught.value.name == "gate", "whose refusal it is"
    assert gate.enter(bearer(TOKEN), one_of(Right.METRICS, Right.FRAMES)).name == "gate"


def test_the_scheme_s_case_is_nothing(gate):
    for scheme in ("bearer", "BEARER", "Bearer  "):
        assert gate.enter(Shown(authorization=[f"{scheme} {TOKEN}"]), FRAMES).name == "gate"


def test_whatever_is_wrong_with_a_header_is_refused_and_not_quoted(gate):
    for headers in (
        [],
        [""],
        ["Bearer"],
        ["Bearer "],
        [TOKEN],
        [f"Basic {TOKEN}"],
        [f"Bearer {TOKEN}x"],
        [f"Bearer {TOKEN[:-1]}"],
        [f"Bearer {TOKEN} {TOKEN}"],
        [f"Bearer {TOKEN}", f"Bearer {TOKEN}"],
        [f"Bearer {TOKEN},Bearer {TOKEN}"],
        ["Bearer " + "x" * 100_000],
        ["Bearer \ud800\x00\xff"],
        [f"Bearer\t{TOKEN}"],
        [f"Bearer {OLD}"],
        [f"Bearer {new_token()}"],
        [f"Bearer sha256:{digest_of(TOKEN).hex()}"],
        [f"Bearer {digest_of(TOKEN).hex()}"],
    ):
        with pytest.raises(UnauthenticatedError) as caught:
            gate.enter(Shown(authorization=headers), FRAMES)
        assert TOKEN not in str(caught.value), headers
        assert len(str(caught.value)) < 200


def test_a_token_that_has_expired_is_told_so(gate):
    with pytest.raises(UnauthenticatedError, match="the token of old has expired"):
        gate.enter(bearer(OLD), FRAMES)


def test_what_is_open_asks_for_nothing(gate):
    assert gate.enter(bearer("nonsense"), OPEN) is NOBODY
    assert gate.enter(Shown(), OPEN) is NOBODY


def test_what_everybody_may_and_a_wrong_token(file):
    gate = Gate(file, frozenset({Right.METRICS}), clock=lambda: NOW)
    assert gate.enter(Shown(), METRICS).name is None
    assert gate.enter(bearer(TOKEN), METRICS).name == "gate"
    with pytest.raises(UnauthenticatedError, match="needs a token with the right frames"):
        gate.enter(Shown(), FRAMES)
    with pytest.raises(UnauthenticatedError, match="not known here"):
        gate.enter(bearer(new_token()), METRICS)


def test_a_caller_whose_token_goes_or_gives_less_is_no_longer_good(gate, file):
    caller = gate.enter(bearer(TOKEN), FRAMES)
    assert gate.still(caller)
    file.keyring = Keyring([grant(TOKEN, Right.METRICS)])
    assert not gate.still(caller)
    file.keyring = Keyring([grant(TOKEN, Right.FRAMES, expires=NOW)])
    assert not gate.still(caller)
    file.keyring = Keyring()
    assert not gate.still(caller)
    with pytest.raises(UnauthenticatedError):
        gate.enter(bearer(TOKEN), FRAMES)
    assert gate.still(NOBODY)


# --- sessions ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def session(gate):
    key, session = gate.sessions.begin(gate.login(TOKEN).digest)
    return key, session.form_key


def test_a_session_has_its_token_s_rights_and_ends_with_it(gate, file, session):
    key, _ = session
    assert gate.enter(Shown(session_key=key), FRAMES).name == "gate"
    with pytest.raises(ForbiddenError):
        gate.enter(Shown(session_key=key), METRICS)
    file.keyring = Keyring([grant(TOKEN, Right.METRICS)])
    assert gate.enter(Shown(session_key=key), METRICS).rights == {Right.METRICS}
    file.keyring = Keyring([grant(TOKEN, expires=NOW)])
    with pytest.raises(UnauthenticatedError):
        gate.enter(Shown(session_key=key), FRAMES)


def test_a_session_changes_nothing_without_the_key_of_its_page(gate, session):
    key, form_key = session
    for given, elsewhere in [
        (None, False),
        ("", False),
        (form_key[:-1], False),
        (key, False),
        (form_key, True),
        ("\ud800é", False),
    ]:
        with pytest.raises(ForbiddenError, match="key of its page"):
            gate.enter(Shown("POST", session_key=key, form_key=given, from_elsewhere=elsewhere), FRAMES)
    assert gate.enter(Shown("POST", session_key=key, form_key=form_key), FRAMES).session
    for method in ("GET", "HEAD"):
        assert gate.enter(Shown(method, session_key=key), FRAMES).session, method


def test_a_session_s_key_is_no_token_and_a_token_no_session_s_key(gate, session):
    key, _ = session
    for shown in (bearer(key), Shown(session_key=TOKEN), Shown(session_key="x" * 10_000)):
        with pytest.raises(UnauthenticatedError):
            gate.enter(shown, FRAMES)


def test_a_header_counts_before_a_cookie(gate, session):
    key, _ = session
    with pytest.raises(UnauthenticatedError):
        gate.enter(Shown(authorization=["Bearer wrong"], session_key=key), FRAMES)
    assert (
        gate.enter(Shown("POST", authorization=[f"Bearer {TOKEN}"], session_key=key), FRAMES).session is None
    )


def test_a_login_is_by_a_token_in_force(gate):
    assert gate.login(f" {TOKEN}\n").name == "gate"
    for token in ("", OLD, new_token(), "\ud800"):
        with pytest.raises(UnauthenticatedError):
            gate.login(token)


def test_nothing_that_is_printed_shows_a_secret(gate, session):
    key, form_key = session
    shown = Shown(authorization=[f"Bearer {TOKEN}"], session_key=key, form_key=form_key)
    caller = gate.enter(Shown(session_key=key), FRAMES)
    text = f"{shown!r} {caller!r} {caller.session!r}"
    for secret in (TOKEN, key, form_key, digest_of(TOKEN).hex(), repr(digest_of(TOKEN))):
        assert secret not in text


def test_both_refusals_are_errors_of_a_request():
    assert issubclass(UnauthenticatedError, RequestError)
    assert (UnauthenticatedError.status, ForbiddenError.status) == (401, 403)
