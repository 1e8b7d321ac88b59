"""SplitDNN as a library: one neural network on two machines. docs/api.md describes every name.

Importing this package imports nothing else: a name is loaded, with what it needs (numpy, torch), when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from shared import __version__

if TYPE_CHECKING:  # for type checkers and editors; a test compares this list with `_HOMES`
    from cloud.batching.crossing import Crossing
    from edge.calibration.calibration import Calibration
    from edge.planning.planner import (
        Conditions,
        Decision,
        InForce,
        Objective,
        Option,
        Prediction,
        choose,
        decide,
        predict,
    )
    from edge.sources.base import Shot, Source
    from edge.sources.registry import open_source
    from edge.uplink.link import LinkState
    from shared.codecs.base import Codec, Encoded
    from shared.codecs.calibrated.profile import Profile
    from shared.codecs.coding import encode_frame
    from shared.codecs.registry import known_codecs, make_codec
    from shared.errors import (
        CodecError,
        ContentError,
        EngineError,
        FingerprintError,
        LimitError,
        ModelError,
        ProfileContentError,
        ProfileMissingError,
        RequestError,
        SettingsError,
        ShapeError,
        SourceError,
        SplitDNNError,
        SplitPointError,
        StartupError,
        WireError,
    )
    from shared.network.bundle import Bundle
    from shared.network.partition import SplitPoint
    from shared.network.recipe import Recipe
    from shared.process.threads import limit_threads
    from shared.tasks.agreement import Agreement
    from shared.tasks.base import Answer, Task
    from shared.tasks.classify import Classes
    from shared.tasks.detection.boxes import Box, Boxes
    from shared.tasks.raw import Outputs
    from shared.tasks.segmentation.class_map import ClassMap
    from shared.wire.frame import EncodedTensor, Frame, pack, unpack
    from splitdnn.bundle import make_bundle, read_bundle
    from splitdnn.client.client import Client
    from splitdnn.client.cloud_model import CloudModel
    from splitdnn.client.error import ClientError
    from splitdnn.frames import decode_crossing, decode_frame
    from splitdnn.network import Network, load_network
    from splitdnn.split import SplitNetwork

_HOMES = {
    "cloud.batching.crossing": ("Crossing",),
    "edge.calibration.calibration": ("Calibration",),
    "edge.planning.planner": (
        "Conditions",
        "Decision",
        "InForce",
        "Objective",
        "Option",
        "Prediction",
        "choose",
        "decide",
        "predict",
    ),
    "edge.sources.base": ("Shot", "Source"),
    "edge.sources.registry": ("open_source",),
    "edge.uplink.link": ("LinkState",),
    "shared.codecs.base": ("Codec", "Encoded"),
    "shared.codecs.calibrated.profile": ("Profile",),
    "shared.codecs.coding": ("encode_frame",),
    "shared.codecs.registry": ("known_codecs", "make_codec"),
    "shared.errors": (
        "CodecError",
        "ContentError",
        "EngineError",
        "FingerprintError",
        "LimitError",
        "ModelError",
        "ProfileContentError",
        "ProfileMissingError",
        "RequestError",
        "SettingsError",
        "ShapeError",
        "SourceError",
        "SplitDNNError",
        "SplitPointError",
        "StartupError",
        "WireError",
    ),
    "shared.network.bundle": ("Bundle",),
    "shared.network.partition": ("SplitPoint",),
    "shared.network.recipe": ("Recipe",),
    "shared.process.threads": ("limit_threads",),
    "shared.tasks.agreement": ("Agreement",),
    "shared.tasks.base": ("Answer", "Task"),
    "shared.tasks.classify": ("Classes",),
    "shared.tasks.detection.boxes": ("Box", "Boxes"),
    "shared.tasks.raw": ("Outputs",),
    "shared.tasks.segmentation.class_map": ("ClassMap",),
    "shared.wire.frame": ("EncodedTensor", "Frame", "pack", "unpack"),
    "splitdnn.bundle": ("make_bundle", "read_bundle"),
    "splitdnn.client.client": ("Client",),
    "splitdnn.client.error": ("ClientError",),
    "splitdnn.client.cloud_model": ("CloudModel",),
    "splitdnn.frames": ("decode_crossing", "decode_frame"),
    "splitdnn.network": ("Network", "load_network"),
    "splitdnn.split": ("SplitNetwork",),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Agreement",
    "Answer",
    "Box",
    "Boxes",
    "Bundle",
    "Calibration",
    "ClassMap",
    "Classes",
    "Client",
    "ClientError",
    "CloudModel",
    "Codec",
    "CodecError",
    "Conditions",
    "ContentError",
    "Crossing",
    "Decision",
    "Encoded",
    "EncodedTensor",
    "EngineError",
    "FingerprintError",
    "Frame",
    "InForce",
    "LimitError",
    "LinkState",
    "ModelError",
    "Network",
    "Objective",
    "Option",
    "Outputs",
    "Prediction",
    "Profile",
    "ProfileContentError",
    "ProfileMissingError",
    "Recipe",
    "RequestError",
    "SettingsError",
    "ShapeError",
    "Shot",
    "Source",
    "SourceError",
    "SplitDNNError",
    "SplitNetwork",
    "SplitPoint",
    "SplitPointError",
    "StartupError",
    "Task",
    "WireError",
    "__version__",
    "choose",
    "decide",
    "decode_crossing",
    "decode_frame",
    "encode_frame",
    "known_codecs",
    "limit_threads",
    "load_network",
    "make_bundle",
    "make_codec",
    "open_source",
    "pack",
    "predict",
    "read_bundle",
    "unpack",
]


if not TYPE_CHECKING:  # or a type checker would take any name for a public one

    def __getattr__(name: str) -> Any:
        """Load a public name from its room, once (PEP 562)."""
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_MODULE_OF[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
