"""The cloud's OpenAPI document, and whether an answer is one that it describes."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml
from kits.common import ROOT
from openapi_schema_validator import OAS31Validator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kits.cloud import Response

PATH = ROOT / "cloud/http/system/openapi.yaml"
METHODS = ("get", "put", "post", "delete", "patch")


@cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(PATH.read_bytes())
    return found


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method in capitals and description of every operation."""
    for path, item in document()["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method.upper(), item[method]


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """The component that `node` refers to, or itself."""
    while "$ref" in node:
        target: Any = document()
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def require_described(method: str, path: str, response: Response) -> None:
    """Fail unless the document describes this answer of an operation: its status, header fields, type and body. `path` is the document's."""
    operation = document()["paths"][path][method.lower()]
    assert str(response.status) in operation["responses"], (method, path, response.status)
    described = resolved(operation["responses"][str(response.status)])
    for name, field in described.get("headers", {}).items():
        field = resolved(field)  # noqa: PLW2901
        found = response.headers.get(name.lower())
        assert found is not None or not field.get("required"), f"{method} {path}: no {name}"
        if found is not None:
            schema = resolved(field["schema"])
            value = int(found) if schema.get("type") == "integer" else found
            _require_valid(value, schema)
    kind = response.headers.get("content-type", "").partition(";")[0]
    content = described.get("content", {})
    assert (kind in content) if content else not response.body, (method, path, kind)
    if kind == "application/json":
        _require_valid(response.json, content[kind]["schema"])
    elif kind.startswith("text/"):
        _require_valid(response.body.decode(), content[kind]["schema"])


def _require_valid(value: Any, schema: dict[str, Any]) -> None:
    errors = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        for error in OAS31Validator({**schema, "components": document()["components"]}).iter_errors(value)
    ]
    assert errors == []


def filled(path: str) -> str:
    """The document's path with an example in each of its places."""
    item = document()["paths"][path]
    for place in re.findall(r"\{(\w+)\}", path):
        parameters = map(resolved, item["parameters"])
        parameter = next(each for each in parameters if (each["name"], each["in"]) == (place, "path"))
        example = parameter.get("example") or parameter["schema"]["enum"][0]
        path = path.replace(f"{{{place}}}", example)
    return path
