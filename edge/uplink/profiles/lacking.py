"""One frame whose profile a cloud lacks: whether that is brought, and how often the frame is sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import UplinkError

if TYPE_CHECKING:
    from edge.uplink.profiles.upload import ProfileUpload

_MOST_REFUSALS = 12
"""With one of three clouds that has it, of 130 frames that are passed on at random one is not answered; by turns, none."""


class Lacking:
    """Counts one frame's refusals. Made before the frame is first sent."""

    def __init__(self, upload: ProfileUpload) -> None:
        self._upload = upload
        self._taken = upload.taken
        self._refusals = 0

    async def resolve(self, cloud: str, patience_s: float) -> None:
        """`cloud` refused the frame for that; afterwards it may be sent again. Raises UplinkError if that would not help."""
        upload = self._upload
        upload.holders.note(cloud, there=False)
        self._refusals += 1
        if upload.is_for_several():
            if self._refusals > _MOST_REFUSALS:
                raise UplinkError(
                    "profile", f"{self._refusals} times it came to a cloud that lacks its profile"
                )
            await upload.bring(cloud, patience_s)
            return
        if self._refusals > 1:
            raise upload.not_kept()
        if upload.taken == self._taken:
            await upload.bring(cloud, patience_s)
