"""The outputs of a tail as the JSON that `POST /model` answers JSON with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from shared.engines.half import Tensors


def json_answer(outputs: Tensors, names: Sequence[str], count: Any) -> bytes:
    """The rows of the only output, or of several by name."""
    rows = [_rows(output) for output in outputs]
    named = ", ".join(f"{json.dumps(name)}: {each}" for name, each in zip(names, rows, strict=True))
    result = rows[0] if len(rows) == 1 else f"{{{named}}}"
    return f'{{"result": {result}, "count": {json.dumps(count)}}}'.encode()


def _rows(output: NDArray[np.float32]) -> str:
    """Row by row: one call for all of them would hold the interpreter for as long as it takes."""
    return f"[{', '.join(json.dumps(row.tolist()) for row in output)}]"
