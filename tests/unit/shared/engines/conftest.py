"""Engines set torch's number of threads, and converters change the root logger: both are restored after each test."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    threads, root = torch.get_num_threads(), logging.getLogger()
    log = root.level, root.handlers[:], root.filters[:]
    yield
    torch.set_num_threads(threads)
    root.level, root.handlers[:], root.filters[:] = log
