#!/usr/bin/env bash
# torch 2.13.0: torch.fx.symbolic_trace records `x += y` as `x = x + y`. Whoever else sees the memory of x (a tensor that
# x is a view of, the caller) no longer sees the change: the traced module answers otherwise. Nothing is warned of.
# Expected: what `x.add_(y)` gives, which is recorded as it stands, or an error, as for `x[0] = y`. The page says what
# cannot be traced and has no word about changes in place:
# https://docs.pytorch.org/docs/2.13/fx.html#limitations-of-symbolic-tracing
# Python falls back on `__add__` because Proxy has no `__iadd__`, and `operator.iadd` does so too. That FX has no
# operations in place was said in https://github.com/pytorch/pytorch/pull/71887; no issue about wrong answers was found.
# It bites code that changes a slice under another name. `out += identity; return out` shows nothing, and so no ResNet.
# Matters to: shared/torch_network/graph/tracing.py, whose Proxy records these operators, and in_place.py beside it.
# Seen 2026-11-28, Python 3.11, x86-64:
#   += on a view: module [1.0, 1.0, 0.0], traced [0.0, 0.0, 0.0], torch.export [1.0, 1.0, 0.0]
#   add_ on a view: module [1.0, 1.0, 0.0], traced [1.0, 1.0, 0.0], torch.export [1.0, 1.0, 0.0]
#   += on the argument, which then is: module [1.0, 1.0, 1.0], traced [0.0, 0.0, 0.0], torch.export [1.0, 1.0, 1.0]
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import sys
import warnings

import torch
from torch import fx, nn


class View(nn.Module):
    def forward(self, x):
        y = x * 2
        part = y[:2]
        part += 1
        return y


class Method(nn.Module):
    def forward(self, x):
        y = x * 2
        part = y[:2]
        part.add_(1)
        return y


class Argument(nn.Module):
    def forward(self, x):
        x += 1
        return x * 2


def trace(module):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return fx.symbolic_trace(module)


def export(module):
    return torch.export.export(module, (torch.zeros(3),)).module()


def answers(kind, *, argument=False):
    """What the module, traced, and exported return for zeros; or what then is in the tensor that they were given."""
    found = []
    for make in (lambda module: module, trace, export):
        given = torch.zeros(3)
        returned = make(kind())(given)
        found.append((given if argument else returned).tolist())
    return found


def show(what, found):
    print(f"{what}: module {found[0]}, traced {found[1]}, torch.export {found[2]}")
    return found


zeros, some, ones = [0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]
holds = [
    show("+= on a view", answers(View)) == [some, zeros, some],
    show("add_ on a view", answers(Method)) == [some, some, some],
    show("+= on the argument, which then is", answers(Argument, argument=True)) == [ones, zeros, ones],
]
sys.exit(not all(holds))
PYTHON
