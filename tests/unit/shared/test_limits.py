"""The room of limits: each says what it counts, and no other module offers them again."""

from __future__ import annotations

import ast
from pathlib import Path

from shared import limits
from shared.wire import frame


def test_every_limit_says_what_it_counts() -> None:
    body = ast.parse(Path(limits.__file__).read_text(encoding="utf-8")).body
    named = 0
    for statement, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.Assign):
            named += 1
            is_docstring = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            assert is_docstring, ast.unparse(statement)
    assert named > 15


def test_the_wire_offers_no_limits_of_its_own() -> None:
    ours = {name for name in vars(limits) if name.isupper()}
    assert len(ours) > 15
    assert ours & vars(frame).keys() == set()
    assert [name for name in vars(frame) if name.startswith("MAX_")] == []
