"""PyTorch eager: the reference every other engine is checked against, and the way to a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from shared.errors import SettingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.engines.base import Part


class TorchEngine:
    """float32, on the CPU or one GPU."""

    def __init__(self, device: str = "cpu", threads: int = 0) -> None:
        """`device` is `cpu`, `cuda`, `cuda:1`, … or `auto`; `threads` 0 leaves torch's choice. Raises SettingsError."""
        if threads:
            torch.set_num_threads(threads)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self.device = torch.device(device)
            torch.empty(1, device=self.device)
        except (RuntimeError, AssertionError) as error:  # torch built without CUDA asserts
            reason = str(error).splitlines()[0]
            raise SettingsError(
                f"device {device!r} cannot be used here: {reason}; cpu always can, auto takes a GPU where there is one"
            ) from None

    def compile(self, part: torch.nn.Module, shape: tuple[int, ...]) -> Part:
        part = part.to(self.device)

        def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
            # torch has no read-only tensors; a frame's payload is read-only, so such a batch is copied.
            array = np.require(batch, dtype=np.float32, requirements=["C", "W"])
            with torch.inference_mode():
                result: NDArray[np.float32] = part(torch.from_numpy(array).to(self.device)).cpu().numpy()
            return result

        run(np.zeros((1, *shape), dtype=np.float32))
        return run
