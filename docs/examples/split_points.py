"""Where to cut a network, what travels there, and what a profile saves. In cells, for an editor that runs them one by one.

Runs as it is, on drawn pictures and random weights, in half a minute; with `weights="IMAGENET1K_V1"` and a video of yours the
figures are worth something.
"""

# %% A network and its split points
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from splitdnn import load_network, open_source, pack

network = load_network("resnet18", weights="random", precision="float32")
print(f"{network.name} with weights {network.weights}: {len(network.points)} split points\n")

total = network.points[0].tail_macs
print(f"{'split point':<12}{'shape':>16}{'float32 bytes':>15}{'work before it':>16}")
for point in network.stage_ends():
    shape = "x".join(map(str, point.shape))
    print(f"{point.name:<12}{shape:>16}{point.float32_bytes:>15,}{point.head_macs / total:>16.0%}")


# %% Pictures: (H, W, 3) uint8 RGB
def pictures_of(spec: str) -> Iterator[NDArray[np.uint8]]:
    source = open_source(spec)
    source.open()
    try:
        while (shot := source.read()) is not None:
            yield shot.picture[:, :, ::-1]  # sources give BGR
    finally:
        source.close()


pictures = list(pictures_of("synthetic:fps=0,frames=24,width=320,height=240"))
measured = pictures[::8]

# %% Bytes per frame, by split point and codec
codecs = {"input": ["png", "jpeg:quality=90", "webp:quality=90"]}
inner = ["float32", "float16", "int8", "int8+zstd"]


def mean_bytes(point: str, codec: str, **options: object) -> float:
    split = network.split(point, codec, **options)
    return float(np.mean([len(pack(split.to_frame(picture))) for picture in measured]))


found = {
    (point, codec): mean_bytes(point, codec)
    for point in ("input", "layer2", "layer3", "avgpool")
    for codec in codecs.get(point, inner)
}

# %% A profile for `calibrated`, fitted to these pictures
calibration = network.calibrate("avgpool", pictures, target_agreement=0.9)
found["avgpool", "calibrated"] = mean_bytes("avgpool", "calibrated", profile=calibration.profile)

print(f"\n{'step size':>10}{'bytes':>8}{'agreement':>11}")
for tried in calibration.points:
    mark = "  <- chosen" if tried is calibration.chosen else ""
    print(f"{tried.step:>10}{tried.frame_bytes:>8.0f}{tried.agreement:>11.0%}{mark}")

# %% The table
print(f"\n{'split point':<12}{'codec':<18}{'bytes per frame':>16}")
for (point, codec), size in found.items():
    print(f"{point:<12}{codec:<18}{size:>16,.0f}")

# %% The answer is the same on both ways
split = network.split("layer3", "float32")
whole = network.answer(network.whole(network.prepare(pictures[0])))
assert split.answer_frame(split.to_frame(pictures[0])).headline() == whole.headline()
