"""Networks of the user's own code, and what is said of code that is not one."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

import pytest
import torch
from kits.naming import naming

from shared.errors import ModelError
from shared.network.choice import NetworkChoice
from shared.torch_network.source import build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NETWORK = """
    import torch
    from torch import nn

    class Small(nn.Module):
        def __init__(self, classes=3):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.head = nn.Linear(4, classes)

        def forward(self, x, mask=None):
            return self.head(self.conv(x).mean((2, 3)))

    def build():
        return Small()

    def five():
        return Small(5).double().train()

    ready = Small()
    wrapped = nn.DataParallel(Small())
    number = 7

    def with_arguments(classes, *, depth):
        return Small(classes)

    def fails():
        raise ValueError("no such depth\\nand more")

    def leaves():
        raise SystemExit(3)

    def gives_a_list():
        return [Small()]

    class Two(Small):
        def forward(self, image, mask):
            return image

    class Lists(Small):
        def forward(self, images: list[torch.Tensor]):
            return images[0]

    class Nothing(Small):
        def forward(self, x):
            return {"loss": 3}

    class Grey(Small):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 3)

    class Boxes(Small):
        def forward(self, x):
            return [{"boxes": picture[0]} for picture in x]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with mynet.py, that is the working directory; what is imported from it is forgotten."""
    before, path = set(sys.modules), sys.path[:]
    (tmp_path / "mynet.py").write_text(textwrap.dedent(NETWORK))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if name.startswith(("splitdnn_source_", "beside", "installed")):
            del sys.modules[name]


def test_a_function_a_class_and_a_module_are_networks(place: Path) -> None:
    for name in ("build", "Small", "ready", "wrapped", "five"):
        network = build(NetworkChoice(f"mynet.py:{name}", "random"))
        with naming(name):
            assert (network.name, network.fingerprint, network.labels) == (f"mynet:{name}", None, ())
            assert type(network.module).__name__ == "Small"
            assert not network.module.training
            assert {(each.dtype, each.requires_grad) for each in network.module.parameters()} == {
                (torch.float32, False)
            }
            assert network.source["model"] == f"{place / 'mynet.py'}:{name}"


def test_the_seed_decides_what_a_function_draws(place: Path) -> None:
    before = torch.get_rng_state()
    first, again, other = (
        build(NetworkChoice("mynet.py:build", "auto", seed=seed)).module for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.head.weight, again.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_a_package_is_found_in_the_working_directory_and_by_its_file_what_lies_beside_it(place: Path) -> None:
    package = place / "installed_net"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "nets.py").write_text("from mynet_parts_beside import make\n\nbuild = make\n")
    (place / "mynet_parts_beside.py").write_text(
        "from torch import nn\n\ndef make():\n    return nn.Conv2d(3, 2, 1)\n"
    )
    assert build(NetworkChoice("installed_net.nets:build")).name == "installed_net.nets:build"
    (place / "other.py").write_text("import mynet_parts_beside\n\nbuild = mynet_parts_beside.make\n")
    assert build(NetworkChoice(f"{place}/other.py:build")).name == "other:build"
    for name in ("mynet_parts_beside", "installed_net", "installed_net.nets"):
        sys.modules.pop(name, None)


def test_what_is_not_said_about_the_recipe_is_assumed_and_noted(place: Path) -> None:
    network = build(NetworkChoice("mynet.py:build"))
    assert (network.recipe.tensor_shape, network.recipe.mean) == ((3, 224, 224), (0.485, 0.456, 0.406))
    (note,) = network.notes
    assert note.startswith(
        "the recipe is assumed: 224x224, ImageNet's mean and deviation, the middle of the picture; "
    )
    network = build(NetworkChoice("mynet.py:build", recipe="size=64x32,mean=0.5,std=0.5,fit=stretch"))
    assert network.recipe.tensor_shape == (3, 32, 64)
    assert network.notes == ()
    assert build(NetworkChoice("mynet.py:Grey", recipe="channels=GRAY")).recipe.tensor_shape == (1, 224, 224)


def test_the_recipe_of_a_timm_model_is_its_own(place: Path) -> None:
    (place / "like_timm.py").write_text(
        "from torch import nn\n\ndef build():\n    net = nn.Conv2d(3, 2, 1)\n"
        "    net.pretrained_cfg = {'input_size': (3, 64, 64), 'mean': (0.5, 0.5, 0.5), 'crop_pct': 0.8}\n    return net\n"
    )
    recipe = build(NetworkChoice("like_timm.py:build")).recipe
    assert (recipe.tensor_shape, recipe.mean, recipe.resize, recipe.interpolation) == (
        (3, 64, 64),
        (0.5,) * 3,
        80,
        "bicubic",
    )


def test_weights_from_a_file_are_given_to_it(place: Path) -> None:
    state = {
        f"module.{name}": value + 1
        for name, value in build(NetworkChoice("mynet.py:build")).module.state_dict().items()
    }
    torch.save({"state_dict": state, "epoch": 3}, "best.pth")
    network = build(NetworkChoice("mynet.py:build", "best.pth"))
    assert network.weights == "file:best.pth"
    assert torch.equal(network.module.head.weight, state["module.head.weight"])
    assert (
        network.notes[-1]
        == "weights best.pth: the state dict under 'state_dict'; without the prefix 'module.'"
    )
    assert network.source["weights"] == str(place / "best.pth")
    with pytest.raises(
        ModelError,
        match=r"^weights file:best\.pth do not fit mynet:five: 0 parameters missing, 0 unknown, 2 of",
    ):
        build(NetworkChoice("mynet.py:five", "best.pth"))
    with pytest.raises(
        ModelError, match=r"^weights 'none\.pth': no such file, and mynet:build has no weights of that name"
    ):
        build(NetworkChoice("mynet.py:build", "none.pth"))


def test_labels_are_read(place: Path) -> None:
    (place / "labels.txt").write_text("a\nb\nc\n")
    assert build(NetworkChoice("mynet.py:build", labels="labels.txt")).labels == ("a", "b", "c")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("none.py:build", "none.py: no such file; accepted: file.py:build"),
        (
            "no_such_package.nets:build",
            "no_such_package.nets cannot be imported: ModuleNotFoundError: No module named",
        ),
        ("mynet.py:biuld", "mynet.py:biuld: there is no 'biuld'; did you mean build?"),
        (
            "mynet.py:number",
            "mynet.py:number is a int; accepted: a function or class that needs no arguments",
        ),
        (
            "mynet.py:with_arguments",
            "mynet.py:with_arguments requires the arguments classes, depth; accepted: a function",
        ),
        ("mynet.py:fails", "mynet.py:fails raised ValueError: no such depth"),
        ("mynet.py:leaves", "mynet.py:leaves raised SystemExit: 3"),
        ("mynet.py:gives_a_list", "mynet.py:gives_a_list returned a list; accepted: a function or class"),
        (
            "mynet.py:Two",
            "mynet:Two: its forward requires image, mask; accepted: networks that take one tensor",
        ),
        ("mynet.py:Lists", "mynet:Lists: its forward takes list[torch.Tensor], as detectors do"),
        ("mynet.py:Nothing", "mynet:Nothing returns no tensor; accepted: tensors, also in mappings"),
        (
            "mynet.py:Grey",
            "mynet:Grey does not run on a picture of 3 channels, 224x224: RuntimeError: Given groups=1",
        ),
        (
            "mynet.py:Boxes",
            "mynet:Boxes returns 0.boxes for one picture and 0.boxes, 1.boxes for two; accepted: networks",
        ),
        ("broken.py:build", "broken.py cannot be imported: SyntaxError: "),
        (
            "needs.py:build",
            "needs.py cannot be imported: ModuleNotFoundError: No module named 'no_such_package'",
        ),
    ],
)
def test_what_is_no_network_is_refused_in_one_line(source: str, said: str, place: Path) -> None:
    (place / "broken.py").write_text("def build(:\n")
    (place / "needs.py").write_text("import no_such_package\n")
    with pytest.raises(ModelError) as refusal:
        build(NetworkChoice(source))
    assert str(refusal.value).startswith(said)
    assert "\n" not in str(refusal.value)


def test_a_detector_is_read_as_torchvisions_are_whatever_it_is_built_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "from kits.detectors import detector\n\ndef build():\n    return detector('retinanet')\n"
    )
    network = build(NetworkChoice("mine.py:build"))
    assert (network.recipe.tensor_shape, network.recipe.fit) == ((3, 64, 64), "letterbox")
    assert network.task is not None
    assert network.task.name == "detect"
    assert {*network.module(torch.zeros(2, 3, 64, 64))} == {"boxes", "scores"}
    with pytest.raises(ModelError, match=r"^mine:build .*takes no pictures of 64x64: "):
        build(NetworkChoice("mine.py:build", recipe="channels=GRAY"))
