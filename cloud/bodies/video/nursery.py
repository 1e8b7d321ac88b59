"""`python -m cloud.bodies.video.nursery`: has everything loaded that decoding takes, and becomes the process of a video in milliseconds.

For each socket that comes over its own, on file descriptor 0, it forks a process that decodes what comes over that one
(cloud/bodies/video/worker.py), and sends back what the cloud can end it by. It has one thread and holds nothing of any client.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING

from cloud.bodies.video.messages import BEGUN, FAILED

if TYPE_CHECKING:
    from collections.abc import Callable


def serve(control: socket.socket, work: Callable[[socket.socket], None]) -> None:
    """Fork a process that does this work for each socket that comes, until the cloud closes its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that have ended
    while True:
        _, sockets, _, _ = socket.recv_fds(control, 1, 1)
        if not sockets:
            return
        _begin(control, sockets[0], work)


def _begin(control: socket.socket, fileno: int, work: Callable[[socket.socket], None]) -> None:
    pid = os.fork()
    if not pid:
        control.close()
        _become(fileno, work)
    os.close(fileno)
    try:
        handle = os.pidfd_open(pid)
    except OSError:  # it has ended already, which its socket tells
        control.sendall(FAILED)
        return
    socket.send_fds(control, [BEGUN], [handle])
    os.close(handle)


def _become(fileno: int, work: Callable[[socket.socket], None]) -> None:
    """In the new process, which ends here."""
    status = 1
    with contextlib.suppress(BaseException), socket.socket(fileno=fileno) as connection:
        work(connection)
        status = 0
    os._exit(status)


def main() -> None:
    """Serve on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt from the terminal is for the cloud
    os.environ.setdefault(
        "OPENBLAS_NUM_THREADS", "1"
    )  # numpy would start threads, and what has some cannot be forked safely
    import av  # noqa: PLC0415
    import av.filter  # noqa: PLC0415

    from cloud.bodies.video import worker  # noqa: PLC0415

    av.logging.set_level(av.logging.PANIC)  # what a decoder says of a client's bytes is no line of the log
    with socket.socket(fileno=0) as control:
        serve(control, worker.serve)


if __name__ == "__main__":
    main()
