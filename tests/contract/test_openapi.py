"""The cloud's OpenAPI document says what the code says: endpoints, methods, rights, reasons and statuses."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from kits.naming import naming
from kits.openapi import METHODS, document, filled, operations, resolved
from openapi_spec_validator import OpenAPIV31SpecValidator

from cloud.access import refusals
from cloud.frames.sessions.socket import IsSession
from cloud.http.app import make_app
from cloud.http.base import Handler
from cloud.http.model import ModelHandler
from cloud.metrics import _CODES, ENDPOINTS, REJECTIONS
from shared import errors
from shared.security.rights import Right

if TYPE_CHECKING:
    from collections.abc import Iterator

ERRORS = [
    cls for cls in errors.all_request_errors() if cls.__module__ in (errors.__name__, refusals.__name__)
]


def rules() -> Iterator[tuple[re.Pattern[str], type[Handler]]]:
    """What matches a path, and the handler that it goes to; a session is described with the path that it shares."""
    service: Any = SimpleNamespace(cloud="0" * 16)
    for rule in make_app(service).wildcard_router.rules:
        if not isinstance(rule.matcher, IsSession):
            yield rule.matcher.regex, rule.target


def handler_of(path: str) -> type[Handler]:
    return next(target for pattern, target in rules() if pattern.fullmatch(filled(path)))


def test_it_is_an_openapi_document() -> None:
    OpenAPIV31SpecValidator(document()).validate()
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))


def test_every_route_is_described_and_every_path_is_a_route() -> None:
    described = {path: handler_of(path) for path in document()["paths"]}
    for pattern, target in rules():
        with naming(pattern.pattern):
            assert any(
                pattern.fullmatch(filled(path)) and handler is target for path, handler in described.items()
            )
    labels = {handler.endpoint or path for path, handler in described.items()}
    assert labels == set(ENDPOINTS) - {"other"}


def test_the_methods_of_a_path_are_those_of_its_handler() -> None:
    for path, item in document()["paths"].items():
        target = handler_of(path)
        own = {method for method in METHODS if getattr(target, method) is not getattr(Handler, method)}
        with naming(path):
            assert own == item.keys() & set(METHODS)


def test_the_rights_are_those_that_the_code_asks_for() -> None:
    for path, method, operation in operations():
        with naming(method, path):
            wanted = handler_of(path).needs.rights
            if path == "/model" and method == "POST":
                wanted = frozenset({Right.FRAMES, Right.JSON})
            assert set(operation["x-rights"]) == wanted
            assert ("401" in operation["responses"]) == bool(wanted or method == "POST")
    assert ModelHandler.needs.rights == {*document()["paths"]["/model"]["get"]["x-rights"]}


def test_the_reasons_are_those_that_are_counted() -> None:
    assert set(document()["components"]["schemas"]["Reason"]["enum"]) == {*REJECTIONS, "http"}


def reasons_in(response: dict[str, Any]) -> set[str]:
    """Those that a refusal's description names."""
    return set(re.findall(r"`([a-z_]+)`(?=[,:;]|$)", response["description"])) - {"http"}


def test_each_refusal_names_the_reasons_of_its_status() -> None:
    expected: dict[str, set[str]] = {"500": {"internal"}}
    for error in ERRORS:
        expected.setdefault(str(error.status), set()).add(error.reason)
    found: dict[str, set[str]] = {}
    for _, _, operation in operations():
        for status, response in operation["responses"].items():
            if int(status) >= 400 and "$ref" in response:
                found.setdefault(status, set()).update(reasons_in(resolved(response)))
    found.pop("416")
    assert found == expected


def test_whoever_may_come_again_is_told_when() -> None:
    retryable = {str(error.status) for error in ERRORS if error.retryable}
    for _, _, operation in operations():
        for status, response in operation["responses"].items():
            if int(status) >= 400 and "$ref" in response and reasons_in(resolved(response)):
                with naming(status):
                    assert ("Retry-After" in resolved(response)["headers"]) == (status in retryable)


def test_every_status_is_counted_from_the_start_and_every_answer_says_whose_it_is() -> None:
    for path, method, operation in operations():
        for status, response in operation["responses"].items():
            with naming(method, path, status):
                assert int(status) in _CODES
                assert "SplitDNN-Cloud" in resolved(response)["headers"]
