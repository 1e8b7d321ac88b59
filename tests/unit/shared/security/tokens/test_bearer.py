"""The token that is shown: where it comes from, and that it goes nowhere else."""

from __future__ import annotations

import asyncio

import pytest

from shared.errors import SettingsError
from shared.security.tokens.bearer import Bearer
from shared.security.tokens.keyring import new_token

OLD, NEW = new_token(), new_token()


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def authorization(token):
    return {"Authorization": f"Bearer {token}"}


def test_without_a_file_nothing_is_shown():
    for bearer in (Bearer(), Bearer.of_file(None), Bearer.of_file(""), Bearer.of_token(None)):
        assert not bearer
        assert bearer.headers() == {}
        assert bearer.renewed() is False


def test_the_file_is_looked_at_once_a_second_at_most(tmp_path):
    path, clock = tmp_path / "token", Clock()
    path.write_text(f"{OLD}\n")
    bearer = Bearer.of_file(str(path), clock=clock)
    assert bearer.headers() == authorization(OLD)
    path.write_text(NEW)
    clock.now = 0.9
    assert bearer.headers() == authorization(OLD)
    clock.now = 1.0
    assert bearer.headers() == authorization(NEW)


def test_a_file_that_holds_none_any_more_changes_nothing_and_is_told_once(tmp_path, caplog):
    path, clock = tmp_path / "token", Clock()
    path.write_text(OLD)
    bearer = Bearer.of_file(str(path), clock=clock)
    for spoil in (lambda: path.write_text(NEW[:-1]), path.unlink):
        spoil()
        caplog.clear()
        for _ in range(3):
            clock.now += 1
            assert bearer.headers() == authorization(OLD)
        assert len(caplog.records) == 1
        assert NEW[:-1] not in caplog.text
    path.write_text(NEW)
    assert bearer.renewed() is True
    assert bearer.headers() == authorization(NEW)


def test_what_is_no_token_is_refused_without_being_quoted(tmp_path):
    path = tmp_path / "token"
    for text in ("", "secret", f"{OLD} {NEW}", f"gate all - {OLD}", "sdn_" + "x" * 42, "sdn_" + "x" * 9000):
        path.write_text(text)
        for make in (lambda: Bearer.of_file(str(path)), lambda text=text: Bearer.of_token(text)):
            with pytest.raises(SettingsError, match="no token") as caught:
                make()
            assert OLD not in str(caught.value)
    with pytest.raises(SettingsError, match="No such file"):
        Bearer.of_file(str(tmp_path / "none"))


def test_it_is_printed_nowhere():
    bearer = Bearer.of_token(OLD)
    assert OLD not in f"{bearer} {bearer!r}"


class Response:
    def __init__(self, status):
        self.status = status
        self.released = False

    def release(self):
        self.released = True


class Request:
    def __init__(self):
        self.headers = {}


def shown(bearer, *statuses):
    """What is sent for a request that is answered like this, and the answers."""
    sent, answers = [], [Response(status) for status in statuses]

    async def handler(request):
        sent.append(request.headers.get("Authorization"))
        return answers[len(sent) - 1]

    last = asyncio.run(bearer.show(Request(), handler))
    assert last is answers[len(sent) - 1]
    return sent, answers


def test_a_request_whose_token_was_refused_is_sent_again_only_with_another(tmp_path):
    path = tmp_path / "token"
    path.write_text(OLD)
    bearer = Bearer.of_file(str(path), clock=Clock())
    for statuses in ((200,), (401,), (403,), (503,)):
        sent, _ = shown(bearer, *statuses, 200)
        assert sent == [f"Bearer {OLD}"], statuses
    path.write_text(NEW)
    sent, answers = shown(bearer, 401, 401, 200)
    assert sent == [f"Bearer {OLD}", f"Bearer {NEW}"]
    assert answers[0].released
    assert not answers[1].released
