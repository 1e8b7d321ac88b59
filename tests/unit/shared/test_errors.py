"""The tree of refusals: what the docstring draws is what the classes are."""

from __future__ import annotations

import inspect
import re

import pytest
from kits.naming import naming

from cloud.access import refusals as cloud_refusals
from shared import errors
from shared.wire.session.cloud import FrameError

LINE = re.compile(r"^ {4}(?P<indent>[│├└─ ]*)(?P<name>[A-Z]\w+Error)\s*(?P<status>\d{3})?\s*(?P<rest>.*)$")


def drawn() -> list[dict[str, object]]:
    """One entry a line of the tree: its name, its parent, its status if it has one, and whether a retry can help."""
    entries: list[dict[str, object]] = []
    above: list[tuple[int, str]] = []  # how far each ancestor is indented
    for line in (errors.__doc__ or "").splitlines():
        match = LINE.match(line)
        if not match:
            continue
        depth = len(match["indent"])
        while above and above[-1][0] >= depth:
            above.pop()
        entries.append(
            {
                "name": match["name"],
                "parent": above[-1][1] if above else "Exception",
                "status": int(match["status"]) if match["status"] else None,
                "retryable": "a retry may help" in match["rest"],
            }
        )
        above.append((depth, match["name"]))
    return entries


def classes() -> dict[str, type[Exception]]:
    return {
        name: cls
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, Exception) and cls.__module__ == errors.__name__
    }


def refusals(root: type[errors.RequestError] = errors.RequestError) -> list[type[errors.RequestError]]:
    """The project's own: other packages, and other tests, may have subclasses of theirs."""
    return [cls for cls in errors.all_request_errors(root) if cls.__module__ == errors.__name__]


def test_the_tree_draws_every_class_once() -> None:
    names = [entry["name"] for entry in drawn()]
    assert sorted(names) == sorted(classes())


def test_a_class_stands_where_the_tree_draws_it() -> None:
    for entry in drawn():
        with naming(entry["name"]):
            cls = classes()[str(entry["name"])]
            assert cls.__bases__[0].__name__ == entry["parent"]
            if entry["status"] is not None:
                assert cls.status == entry["status"]
                assert cls.retryable == entry["retryable"]
            else:
                assert cls is errors.RequestError or not hasattr(cls, "status")


def test_every_refusal_has_a_reason_of_its_own_fit_for_a_label() -> None:
    ours = [cls for cls in errors.all_request_errors() if cls.__module__.startswith(("shared.", "cloud."))]
    reasons = [cls.reason for cls in ours if cls is not FrameError]
    assert FrameError.reason == errors.WireError.reason, "the bytes are not a frame, whatever brought them"
    assert len(set(reasons)) == len(reasons)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", reason) for reason in reasons)


def test_the_list_of_refusals_is_the_tree_below_request_error() -> None:
    assert set(refusals()) == {cls for cls in classes().values() if issubclass(cls, errors.RequestError)}
    assert set(refusals(errors.WireError)) == {
        errors.WireError, errors.LimitError, errors.CodecError, errors.ContentError, errors.ProfileMissingError,
        errors.StateMissingError,
    }  # fmt: skip


def test_only_what_may_be_better_in_a_while_is_worth_a_retry() -> None:
    assert {cls.status for cls in refusals() if cls.retryable} == {503}
    own = [cls for cls in errors.all_request_errors() if cls.__module__ == cloud_refusals.__name__]
    assert {cls.status for cls in own if cls.retryable} == {408, 429, 503}
    assert {cls.status for cls in own if not cls.retryable} == {404, 422, 431, 500}


def test_an_error_carries_its_message_and_what_would_have_been_accepted() -> None:
    error = errors.LimitError("too large", accepted={"max_bytes": 3})
    assert (str(error), error.accepted, error.status) == ("too large", {"max_bytes": 3}, 413)
    assert errors.BodyError("no").accepted is None


@pytest.mark.parametrize(
    ("name", "known", "clause"),
    [
        ("layer33", ["layer1", "layer3", "conv1"], "did you mean layer3 or layer1?"),
        ("resnet5O", ["resnet50", "vgg16"], "did you mean resnet50?"),
        ("zzz", ["a", "b"], "known: a, b"),
        (
            "zzz",
            [f"name{i}" for i in range(13)],
            "known: " + ", ".join(f"name{i}" for i in range(12)) + ", …",
        ),
        ("zzz", [], "known: "),
    ],
)
def test_a_suggestion_is_the_nearest_names_or_the_first_ones(
    name: str, known: list[str], clause: str
) -> None:
    assert errors.suggest(name, iter(known)) == clause
