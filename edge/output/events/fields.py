"""The settings of what is told and where it waits, as fields for the edge's settings; those of delivery are in its own room."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

EventsFolder = Annotated[
    str,
    Field(
        description="folder for events that wait to be delivered, of one edge only; by default `events` in `cache_dir`"
    ),
]
EventsMaxBytes = Annotated[
    int,
    Field(
        ge=1 << 20,
        le=2**40,
        description="that folder gets no larger: the oldest events go first, counted as lost",
    ),
]
EventsFrames = Annotated[
    int,
    Field(
        ge=1,
        le=1000,
        description="a class or an object that so many answers in a row show is told, and none that only flickers",
    ),
]
EventsHold = Annotated[
    float,
    Field(
        ge=0,
        le=3600,
        description="for so long, besides, another class has to be on top until that is told",
    ),
]
EventsLost = Annotated[
    float,
    Field(ge=0, le=3600, description="an object has left once no answer has shown it for so many seconds"),
]
