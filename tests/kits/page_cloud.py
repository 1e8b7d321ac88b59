"""A cloud with tokens whose page is looked at, and edges that it knows by their names."""

from __future__ import annotations

import contextlib
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kits.deployments import LocalDeployment
from kits.tokens import Tokens

from shared.security.rights import GROUPS, Right

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from kits.edge_run import EdgeRun


@dataclass(frozen=True)
class SecuredCloud:
    """The cloud, and the tokens of those who look at it."""

    system: LocalDeployment
    tokens: Tokens
    files: dict[str, str]
    """The file of each edge's token."""
    watcher: str
    """May see the page."""
    meter: str
    """May see the metrics alone."""

    @property
    def url(self) -> str:
        return self.system.cloud_url

    def edge(self, name: str, **settings: str) -> EdgeRun:
        """An edge that shows the token of this name."""
        return self.system.edge(**settings, **self.shown(name))

    def shown(self, name: str) -> dict[str, str]:
        """The settings of an edge by which it does."""
        return {"cloud_token_file": self.files[name]}

    def metrics(self) -> str:
        request = urllib.request.Request(
            f"{self.url}/metrics", headers={"Authorization": f"Bearer {self.meter}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()


@contextlib.contextmanager
def secured_cloud(folder: Path, bundle: str, edges: Iterable[str]) -> Iterator[SecuredCloud]:
    """`folder` keeps the tokens; `edges` are the names of those who may send frames."""
    tokens = Tokens(folder / "tokens", [])
    watcher, meter = tokens.add("watcher", Right.PAGE), tokens.add("meter", Right.METRICS)
    files = {}
    for name in edges:
        file = folder / f"{name}.token"
        file.write_text(tokens.add(name, *GROUPS["edge"]))
        files[name] = str(file)
    system = LocalDeployment(model=bundle, precision="float32", token_file=str(tokens.path))
    try:
        yield SecuredCloud(system, tokens, files, watcher, meter)
    finally:
        system.close()
