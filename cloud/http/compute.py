"""`POST /compute`, the smallest endpoint with a body."""

from __future__ import annotations

import math

from cloud.bodies.json_body import parse_object
from cloud.http.base import BodyHandler
from shared.errors import BodyError, ContentError

_BODY = {"number": "a finite number"}


class ComputeHandler(BodyHandler):
    """`POST /compute`: `{"number": 7}` -> `{"result": 49}`."""

    async def post(self) -> None:
        await self.complete()

    def limit(self) -> int:
        return 4096

    async def respond(self) -> None:
        number = parse_object(self.body, _BODY).get("number")
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise BodyError('the body has no number under "number"', accepted=_BODY)
        try:
            square = float(number) * float(number)
        except OverflowError:  # an integer beyond a double's range
            square = math.inf
        if not math.isfinite(square):
            raise ContentError("the square of this number is not finite", accepted=_BODY)
        self.finish({"result": number * number})
