"""What clients of the Open Inference Protocol ask: health, what server this is, and what its models take and give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cloud.bodies.inference.names import ANSWER, input_names, output_names
from cloud.http.base import Handler
from cloud.workers.lifecycle import State
from shared import __version__
from shared.network.partition import INPUT, OUTPUT
from shared.security.rights import OPEN, Right, one_of

if TYPE_CHECKING:
    from cloud.networks.network import LoadedNetwork
    from shared.security.rights import Needs

LABEL = "/v2"
_ASKING = one_of(Right.FRAMES, Right.JSON, Right.PROFILES, Right.BUNDLES, Right.PAGE)
_FRAMES_FROM_PICTURES = ["JPEG, PNG or WebP", "a frame (shared/wire/WIRE.md)"]
JSON_TYPE = "application/json"
"""Without a parameter: KServe's client reads an error's text from nothing else."""


class OpenInferenceHandler(Handler):
    """Answers as clients of the protocol expect."""

    endpoint: ClassVar[str] = LABEL
    json_type: ClassVar[str] = JSON_TYPE


class LiveHandler(OpenInferenceHandler):
    """`GET /v2/health/live`: the process answers."""

    needs: ClassVar[Needs] = OPEN
    health: ClassVar[bool] = True

    def get(self) -> None:
        self.finish({"live": True})


class ServerReadyHandler(OpenInferenceHandler):
    """`GET /v2/health/ready`: 200 while frames are taken, else 503."""

    needs: ClassVar[Needs] = OPEN
    health: ClassVar[bool] = True

    def get(self) -> None:
        ready = self.service.lifecycle.state is State.READY
        self.set_status(200 if ready else 503)
        self.finish({"ready": ready})


class ServerHandler(OpenInferenceHandler):
    """`GET /v2`: which server this is, and which extensions of the protocol it knows."""

    needs: ClassVar[Needs] = _ASKING

    async def get(self) -> None:
        await self.in_turn()
        extensions = ["binary_tensor_data", "classification"]
        self.finish({"name": "splitdnn", "version": __version__, "extensions": extensions})


class ModelsHandler(OpenInferenceHandler):
    """`GET /v2/models/NAME`, and of a version: what a model takes and gives."""

    needs: ClassVar[Needs] = _ASKING

    async def get(self, name: str, version: str | None = None) -> None:
        self.service.lifecycle.require_ready()
        await self.in_turn()
        network = self.service.networks.named(name, version)
        self.finish(metadata(network, self.service.networks.versions(name)))


class ModelReadyHandler(OpenInferenceHandler):
    """`GET /v2/models/NAME/ready`, and of a version: whether it can be asked."""

    needs: ClassVar[Needs] = _ASKING

    async def get(self, name: str, version: str | None = None) -> None:
        self.service.lifecycle.require_ready()
        await self.in_turn()
        network = self.service.networks.named(name, version)
        self.finish({"name": name, "version": network.model.fingerprint.hex(), "ready": True})


def metadata(network: LoadedNetwork, versions: list[str]) -> dict[str, Any]:
    """What the protocol says of a model, and in `parameters` what it has no words for: split points, and pictures and frames."""
    model, points = network.model, network.partition.points
    return {
        "name": model.name,
        "versions": versions,
        "platform": f"splitdnn_{network.engine.name}",
        "inputs": [_tensor(INPUT, points[INPUT].shapes[0])],
        "outputs": [_output(name, network) for name in output_names(model)],
        "parameters": {
            "task": model.task.name,
            "bytes_at_input": _FRAMES_FROM_PICTURES,
            "pixels_at_input": {"datatype": "UINT8", "shape": [-1, "height", "width", 3]},
            "split_points": {
                name: [
                    _tensor(each, shape, symbols=bool(points[name].grids and points[name].grids[number]))
                    for number, (each, shape) in enumerate(
                        zip(input_names(name, len(shapes)), shapes, strict=True)
                    )
                ]
                for name, shapes in network.shapes().items()
            },
        },
    }


def _output(name: str, network: LoadedNetwork) -> dict[str, Any]:
    outputs = network.model.outputs
    if name not in outputs:
        return {"name": ANSWER, "datatype": "BYTES", "shape": [-1]}
    return _tensor(name, network.partition.points[OUTPUT].shapes[outputs.index(name)])


def _tensor(name: str, shape: tuple[int, ...], *, symbols: bool = False) -> dict[str, Any]:
    also = {"parameters": {"symbols": "UINT8"}} if symbols else {}
    return {"name": name, "datatype": "FP32", "shape": [-1, *shape], **also}
