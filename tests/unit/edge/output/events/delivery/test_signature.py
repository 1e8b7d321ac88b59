"""Signatures of webhooks, against the published scheme's own example and as a receiver checks them."""

from __future__ import annotations

import base64

import pytest

from edge.output.events.delivery.signature import keys, signed

PUBLISHED = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"


def test_the_published_example_comes_out():
    made = signed(keys(PUBLISHED), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_every_part_is_signed():
    given = keys(PUBLISHED)
    first = signed(given, "a", 1, b"x")["webhook-signature"]
    for other in (signed(given, "b", 1, b"x"), signed(given, "a", 2, b"x"), signed(given, "a", 1, b"y")):
        assert other["webhook-signature"] != first


def test_while_a_key_is_replaced_both_sign():
    new = base64.b64encode(bytes(range(32)))
    both = signed(keys(PUBLISHED + b"\n  " + new + b"\r\n"), "a", 1, b"x")["webhook-signature"].split(" ")
    assert both == [signed(keys(each), "a", 1, b"x")["webhook-signature"] for each in (PUBLISHED, new)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "0 keys"),
        (b"\n\n", "0 keys"),
        (PUBLISHED * 5, "5 keys"),
        (b"hunter2", "line 1 is no key"),
        (PUBLISHED + b"whsec_", "line 2 is no key"),
        (base64.b64encode(bytes(23)), "line 1 is no key"),
        (base64.b64encode(bytes(65)), "line 1 is no key"),
        (b"\xff" * 40, "line 1 is no key"),
    ],
)
def test_what_is_no_key_is_said_without_quoting_it(data, said):
    with pytest.raises(ValueError, match=said) as raised:
        keys(data)
    assert "hunter2" not in str(raised.value)
