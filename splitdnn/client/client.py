"""An asynchronous client of a SplitDNN cloud: pictures or frames in, answers out."""

from __future__ import annotations

import asyncio
import itertools
import math
import secrets
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from edge.uplink.client import BrokenError, CloudClient, parse_json
from shared.codecs import make_codec
from shared.errors import RequestError, SettingsError, UplinkError
from shared.observing.counting.counter import Counter
from shared.security.escape import shown
from shared.security.tls.context import FixedContext, TLSFiles, client_context
from shared.security.tokens.bearer import Bearer
from shared.tasks.registry import read_answer
from shared.tasks.spec import Wanted
from shared.wire.frame import Frame, heading, pack
from shared.wire.http import CONTENT_TYPE
from splitdnn.checks import checked_proxy
from splitdnn.client.cloud_model import CloudModel, parse_cloud_model
from splitdnn.client.error import ClientError
from splitdnn.client.pictures import picture_frame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import numpy as np
    from numpy.typing import NDArray

    from shared.codecs.calibrated.profile import Profile
    from shared.tasks.base import Answer

_Result = TypeVar("_Result")

_MAX_REASON = 40  # characters


class Client:
    """A client of one cloud, for one event loop: `async with Client(url) as client: await client.infer(picture)`.

    Any number of calls may be under way; `connections` of them at once, each on a connection that stays open.
    """

    def __init__(
        self,
        url: str,
        *,
        codec: str = "jpeg",
        picture_size: Literal["network", "source"] = "network",
        timeout_s: float = 10.0,
        connections: int = 8,
        ca: str | None = None,
        certificate: str | None = None,
        key: str | None = None,
        token: str | None = None,
        proxy: str | None = None,
    ) -> None:
        """`url` is the cloud's, such as `http://127.0.0.1:8881`; `timeout_s` bounds each call as a whole.

        Pictures travel by `codec` (`jpeg:quality=90`, `png`, `webp`, `raw`), in the network's size or in their own, which
        the cloud then resizes. `token` is what `splitdnn token new` made, for a cloud that asks for one. Raises SettingsError for a
        codec that carries no pictures, for numbers that are none, for what is no token, and for files that cannot be used.

        Of an https cloud, `ca` is the PEM file of the CAs that are believed, by default the system's; `certificate` and `key` are
        this client's own, for a cloud with `--client-ca`. `proxy`: the URL of an HTTP proxy to go through.
        """
        if not (isinstance(timeout_s, int | float) and 0 < timeout_s < math.inf):
            raise SettingsError(f"timeout_s={timeout_s}; accepted: seconds above 0")
        if not (isinstance(connections, int) and connections > 0):
            raise SettingsError(f"connections={connections}; accepted: whole numbers from 1")
        if picture_size not in ("network", "source"):
            raise SettingsError(f"picture_size={picture_size}; accepted: network, source")
        self._codec = make_codec(codec)
        if self._codec.carries != "picture":
            raise SettingsError(f"codec {codec} carries no pictures; accepted: jpeg, png, webp, raw")
        self._source_size = picture_size == "source"
        self._timeout_s = timeout_s
        sent = Counter("splitdnn_client_sent_bytes", "Bytes of frames", registry=None)
        files = TLSFiles(certificate, key, ca, ("certificate", "key", "ca"))
        tls = FixedContext(client_context(files), files) if url.startswith("https:") else None
        if files.paths and not tls:
            raise SettingsError(f"{url}: {', '.join(files.paths)} need an https:// address")
        bearer, url, way = Bearer.of_token(token), url.rstrip("/"), checked_proxy(proxy)
        self._http = CloudClient(url, sent, connections=connections, bearer=bearer, tls=tls, proxy=way)
        self._frame_ids = itertools.count(secrets.randbits(32) << 32)
        self._model: CloudModel | None = None
        self._is_open = False

    async def __aenter__(self) -> Self:
        if self._is_open:
            raise SettingsError("this client is open already: make another, or share this one")
        self._http.open()
        self._is_open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_open = False
        await self._http.close()

    async def model(self) -> CloudModel:
        """What the cloud runs, asked once and again after it has changed. Raises ClientError."""
        return await self._bounded(self._learn)

    async def infer(
        self, picture: NDArray[np.uint8] | bytes, *, top: int = 5, threshold: float | None = None
    ) -> Answer:
        """The answer to a picture, (H, W, 3) uint8 RGB or the bytes of an image file. Raises ClientError.

        `top` is of classes how many, `threshold` of boxes the least score, 0 … 1, None: the network's own. The cloud computes the whole network. If it now runs another network than before, it is asked what that is, once.
        """

        async def call() -> Answer:
            try:
                return await self._post(await self._encode(picture), top, threshold)
            except ClientError as error:
                if error.reason != "fingerprint":
                    raise
            self._model = None
            return await self._post(await self._encode(picture), top, threshold)

        return await self._bounded(call)

    async def send(
        self,
        frame: Frame | bytes,
        *,
        top: int = 5,
        threshold: float | None = None,
        profile: Profile | None = None,
    ) -> Answer:
        """The answer to a frame that `SplitNetwork.encode` made, packed or not. Raises ClientError.

        `profile` is the one that the codec `calibrated` encoded with; it is uploaded if the cloud does not have it.
        """
        try:
            data = pack(frame) if isinstance(frame, Frame) else bytes(memoryview(frame))
        except RequestError as error:
            raise ClientError("bad_frame", str(error)) from None
        except TypeError:
            raise ClientError(
                "bad_frame", f"a frame is a Frame or its bytes, not {type(frame).__name__}"
            ) from None

        async def call() -> Answer:
            try:
                return await self._post(data, top, threshold)
            except ClientError as error:
                if error.reason != "profile_missing" or profile is None:
                    raise
            await self._request("PUT", f"/profiles/{profile.name}", data=profile.data)
            return await self._post(data, top, threshold)

        return await self._bounded(call)

    async def _bounded(self, call: Callable[[], Awaitable[_Result]]) -> _Result:
        """Run `call` within the time limit; every failure is a ClientError."""
        if not self._is_open:
            raise _closed()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await call()
        except TimeoutError:
            raise ClientError("late", f"no answer within {self._timeout_s:g} s") from None
        except UplinkError as error:
            raise (ClientError(error.reason, str(error)) if self._is_open else _closed()) from None
        except (RuntimeError, asyncio.CancelledError):
            # aiohttp's ways to say that the client was closed during the call. Whoever cancels the caller means it.
            task = asyncio.current_task()
            if self._is_open or (task and task.cancelling()):
                raise
            raise _closed() from None

    async def _learn(self) -> CloudModel:
        if self._model is None:
            fields = parse_json(await self._request("GET", "/model"))
            try:
                self._model = parse_cloud_model(fields)
            except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
                raise ClientError(
                    "not_splitdnn", f"{self._http.url} answers, but not as a SplitDNN cloud"
                ) from None
        return self._model

    async def _encode(self, picture: NDArray[np.uint8] | bytes) -> bytes:
        model = await self._learn()

        def encode() -> bytes:  # on a thread: it may take tens of milliseconds
            frame = picture_frame(
                picture,
                model,
                self._codec,
                source_size=self._source_size,
                frame_id=next(self._frame_ids),
                deadline_ms=min(int(1e3 * self._timeout_s), 0xFFFFFFFF),
            )
            return pack(frame)

        try:
            return await asyncio.to_thread(encode)
        except RequestError as error:
            raise ClientError("bad_picture", str(error), accepted=error.accepted) from None

    async def _post(self, frame: bytes, top: int, threshold: float | None) -> Answer:
        # What is not asked for is not said: a cloud whose network has three classes refuses `top=5`.
        query = [] if top == Wanted.top else [f"top={top}"]
        query += [] if threshold is None else [f"threshold={threshold}"]
        path = f"/model?{'&'.join(query)}".rstrip("?")
        body = await self._request("POST", path, data=frame, headers={"Content-Type": CONTENT_TYPE})
        try:
            return _read(body, frame)
        except (AttributeError, KeyError, OverflowError, RequestError, TypeError, ValueError):
            raise ClientError(
                "not_splitdnn", f"{self._http.url} answers, but not as a SplitDNN cloud"
            ) from None

    async def _request(self, method: str, path: str, **options: Any) -> bytes:
        """The body of a successful answer. If the connection breaks before it, the request is sent once more."""
        about: dict[str, Any] = {}
        try:
            status, body = await self._http.request(method, path, self._timeout_s, about, **options)
        except BrokenError:
            status, body = await self._http.request(method, path, self._timeout_s, about, **options)
        if status < 300:
            return body
        fields = parse_json(body)
        text = f"{method} {path}: {status} {shown(fields.get('error', ''))}".strip()
        reason = shown(fields.get("reason", "unavailable" if status >= 500 else "refused"), _MAX_REASON)
        raise ClientError(
            reason,
            text,
            status=status,
            accepted=fields.get("accepted"),
            retry_after_s=about.get("retry_after_s"),
        )


def _read(body: bytes, frame: bytes) -> Answer:
    """Raises what `read_answer` raises, and for the answer to another frame."""
    fields = parse_json(body)
    if (fields["frame_id"], fields["split_point"]) != heading(frame):
        raise ValueError("the answer to another frame")
    return read_answer(fields)


def _closed() -> ClientError:
    return ClientError("closed", "the client is closed: call it within `async with Client(…) as client`")
