"""A detector of yours: as a bundle, in one piece, and cut where several tensors cross. In cells, for an editor that runs them one by one.

Runs as it is, on drawn pictures and random weights, in half a minute, and leaves a folder `example-detector`. With a trained network in place of `small_detector.py`, such
as `make_bundle("detector.onnx", …)`, and a video of yours it sees something.
"""

# %% A network with a pyramid of two levels; boxes as YOLOv8 gives them: (4 + K, A), centre and sides in pixels, then K scores
from pathlib import Path

from splitdnn import load_network, make_bundle, open_source, pack, unpack

folder = Path("example-detector")
folder.mkdir(exist_ok=True)
source, labels, bundle = folder / "small_detector.py", folder / "names.txt", folder / "net"
source.write_text("""
import torch
from torch import nn


def layer(inputs, outputs, stride):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.ReLU())


class Level(nn.Module):
    def __init__(self, channels, side, stride):
        super().__init__()
        self.neck, self.head = layer(channels, channels, 1), nn.Conv2d(channels, 4 + 3, 1)
        y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
        self.register_buffer("middle", stride * (torch.stack([x, y]).flatten(1)[None] + 0.5))
        self.stride = stride

    def forward(self, features):
        raw = self.head(self.neck(features)).flatten(2)
        centre = self.middle + self.stride * torch.tanh(raw[:, :2]) / 2
        return torch.cat([centre, 4 * self.stride * raw[:, 2:4].sigmoid(), (4 * raw[:, 4:]).sigmoid()], 1)


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(layer(3, 16, 2), layer(16, 24, 2), layer(24, 32, 2))
        self.lateral, self.upper = nn.Conv2d(32, 8, 1), nn.Sequential(layer(32, 48, 2), layer(48, 32, 1))
        self.levels = nn.ModuleList([Level(8, 16, 8), Level(32, 8, 16)])

    def forward(self, picture):
        trunk = self.trunk(picture)
        return torch.cat([self.levels[0](self.lateral(trunk)), self.levels[1](self.upper(trunk))], 2)


def build():
    torch.manual_seed(3)
    return Detector()
""")
labels.write_text("cup\nbottle\nbowl\n")
made = make_bundle(f"{source}:build", bundle, labels=str(labels), recipe="size=128,fit=stretch,mean=0,std=1")
print(made.model.task.name, dict(made.model.task.options)["form"])

# %% Where it may be cut
network = load_network(str(bundle), precision="float32")
for point in network.points:
    shapes = " + ".join("x".join(map(str, shape)) for shape in point.shapes)
    print(f"{point.name:<40}{shapes:>28}{point.float32_bytes:>12,} bytes")
several = min(
    (point for point in network.points[:-1] if len(point.shapes) > 1), key=lambda each: each.elements
)

# %% A picture: (H, W, 3) uint8 RGB
camera = open_source("synthetic:fps=0,frames=1,width=320,height=240")
camera.open()
picture = camera.read().picture[:, :, ::-1]  # sources give BGR
camera.close()

# %% The same boxes whole and cut; places are in pixels of the network's input, and `in_picture` takes them into the picture
split = network.split(several, "float32")
whole = network.answer(network.whole(network.prepare(picture)), threshold=0.3)
cut = split.answer_frame(unpack(pack(split.to_frame(picture))), threshold=0.3)
print(
    f"\n{several.name}: {len(several.shapes)} tensors in a frame of {len(pack(split.to_frame(picture))):,} bytes"
)
for name, answer in {"whole": whole, "cut": cut}.items():
    boxes = answer.in_picture(network.recipe, picture.shape[:2]).boxes
    print(
        f"{name:<6}{answer.headline()}; the best: {boxes[0].label} {boxes[0].score:.2f} at {boxes[0].corners}"
    )
