"""A picture's file as a request's body: the whole network runs on it, as it would on a frame with this picture at `input`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloud.bodies.frames import Work
from cloud.bodies.pictures.file import read_file
from cloud.bodies.pictures.pixels import decode_file
from shared.errors import BodyError
from shared.limits import MAX_PART_HEADER_BYTES
from shared.network.partition import INPUT
from shared.network.recipes.resize import fit_picture

if TYPE_CHECKING:
    from cloud.bodies.pictures.file import PictureFile
    from shared.network.model import Model
    from shared.wire.frame import Bytes

IMAGE = "image"
"""What metrics and ledger call the codec of such a body."""
IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")
FORM_TYPE = "multipart/form-data"
_ALSO = "image/jpg"  # which many write
PICTURE_TYPES = (*IMAGE_TYPES, _ALSO, FORM_TYPE)
"""The Content-Types of such a body; which of the formats it is, its bytes say."""

_ONE_FILE = "a form of one file, as `curl -F image=@dog.jpg` sends it"


def read_picture(data: Bytes, model: Model) -> Work:
    """The work that a JPEG, PNG or WebP asks for: its picture, upright, as the network takes it, crosses at `input`.

    For a thread, as it takes up to a second and a half of a core; where nobody limits how many of them there are, so does
    `Decoder.picture`. Raises ContentError for a damaged file, an animation or another format, LimitError for a file that is too large.
    """
    return decode_picture(read_file(data), model)


def decode_picture(file: PictureFile, model: Model) -> Work:
    """The same of a file that has been looked at. Raises ContentError."""
    picture = fit_picture(decode_file(file), model.recipe)
    tensor = model.recipe.normalise(picture)
    return Work(INPUT, (tensor[None],), codec=IMAGE, payload_bytes=len(file.data), source=file.upright)


def file_in(body: Bytes, content_type: str) -> Bytes:
    """The file in a body of this Content-Type: all of it, or the only part of a form (RFC 7578). Raises BodyError."""
    kind, _, parameters = content_type.partition(";")
    return _only_part(bytes(body), parameters) if kind.strip().lower() == FORM_TYPE else body


def _only_part(body: bytes, parameters: str) -> bytes:
    found = [
        value.strip().strip('"')
        for name, _, value in (each.partition("=") for each in parameters.split(";"))
        if name.strip().lower() == "boundary"
    ]
    if len(found) != 1 or not 1 <= len(found[0]) <= 70 or not found[0].isascii():  # 70: RFC 2046, 5.1.1
        raise BodyError("the form's Content-Type names no boundary", accepted=_ONE_FILE)
    line = b"--" + found[0].encode()
    begin = body.find(line, 0, MAX_PART_HEADER_BYTES)
    start = body.find(b"\r\n\r\n", begin, begin + MAX_PART_HEADER_BYTES)
    end = body.find(b"\r\n" + line, start + 2)
    if min(begin, start, end) < 0:
        raise BodyError("the form has no part that begins and ends", accepted=_ONE_FILE)
    if not body.startswith(b"--", end + 2 + len(line)):
        raise BodyError("the form has more than one part", accepted=_ONE_FILE)
    return body[start + 4 : end]
