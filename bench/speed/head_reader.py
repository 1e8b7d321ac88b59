"""The reading thread of the simple clients: video and head on one thread, at most two tensors ahead of the sender."""

from __future__ import annotations

import threading
from queue import Queue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray


class HeadReader:
    """Runs until its process ends; `take` gives what crosses, picture after picture."""

    def __init__(
        self, tensors: Iterator[NDArray[np.float32]], head: Callable[[NDArray[np.float32]], Any]
    ) -> None:
        self._tensors = tensors
        self._head = head
        self._queue: Queue[Any] = Queue(maxsize=2)
        self._stopping = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def take(self) -> Any:
        return self._queue.get()

    def stop(self) -> None:
        """Compute nothing while another client is measured."""
        self._stopping = True
        while self._thread.is_alive():
            while not self._queue.empty():  # it may wait for a place
                self._queue.get()
            self._thread.join(0.01)

    def _read(self) -> None:
        for tensor in self._tensors:
            if self._stopping:
                return
            self._queue.put(self._head(tensor))
