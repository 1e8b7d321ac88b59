"""deploy/balancer with TLS: ended at the balancer, which shows clouds a certificate of its own, or passed on unread."""

from __future__ import annotations

import json
import ssl
from contextlib import closing
from http.client import HTTPSConnection
from typing import TYPE_CHECKING

import pytest
from kits import balancer
from kits.certificates import LOCAL, Certificates
from kits.fleet import Fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not balancer.HAPROXY, reason="no haproxy here (Debian: apt-get install haproxy)"),
]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    made = Certificates.at(tmp_path_factory.mktemp("certificates"))
    made.issue("cloud", ("cloud", *LOCAL))
    made.issue("balancer")
    for name in ("cloud", "balancer"):
        folder = made.folder / name
        pem = (folder / "tls.crt").read_text() + (folder / "tls.key").read_text()
        (folder / "both.pem").write_text(pem)
    return made


@pytest.fixture(scope="module")
def fleet(certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Clouds that speak nothing but TLS, and to nobody without a certificate."""
    flags = tuple(
        f"--{name.replace('_', '-')}={path}" for name, path in certificates.cloud(mutual=True).items()
    )
    with Fleet(tmp_path_factory.mktemp("fleet"), flags=flags, health_by_tls=True) as found:
        yield found


def ended(certificates: Certificates) -> dict[str, str]:
    return {
        "CERTIFICATE": certificates.path("balancer", "both.pem"),
        "CLIENT_CA": certificates.path("cloud", "ca.crt"),
        "CLOUD_CA": certificates.path("cloud", "ca.crt"),
        "CLOUD_CERTIFICATE": certificates.path("balancer", "both.pem"),
    }


def passed(certificates: Certificates) -> dict[str, str]:
    return {"file": "haproxy-passed.cfg", "CLOUD_CA": certificates.path("cloud", "ca.crt")}


def edge_keys(certificates: Certificates) -> dict[str, str]:
    return {
        "ca": certificates.path("edge", "ca.crt"),
        "client_certificate": certificates.path("edge", "tls.crt"),
        "client_key": certificates.path("edge", "tls.key"),
    }


@pytest.mark.parametrize("variant", [ended, passed])
def test_frames_reach_the_clouds_by_tls_all_the_way(fleet, certificates, tmp_path, variant):
    with balancer.HAProxy(tmp_path, fleet.ports, **variant(certificates)) as haproxy:
        haproxy.wait_for_clouds(1, 2, 3, count=3)
        run = fleet.edge(haproxy.url, frames=60, **edge_keys(certificates))
        records = run.finish()
        fleet.join(run)
        assert set(run.answered_by()) == {"cloud"}
        spread = fleet.answered(records)
        if variant is ended:
            assert min(spread) >= 5, spread
        # A client without a certificate: the balancer lets it not in, or the cloud tells it why.
        context = ssl.create_default_context(cafile=certificates.path("edge", "ca.crt"))
        with closing(HTTPSConnection("127.0.0.1", haproxy.port, timeout=60, context=context)) as stranger:
            if variant is passed:
                stranger.request("GET", "/model")
                assert stranger.getresponse().status == 401
            else:
                with pytest.raises(ssl.SSLError):
                    stranger.request("GET", "/model")
                    stranger.getresponse()


@pytest.mark.parametrize("kind", ["haproxy", "envoy"])
def test_the_clouds_charge_whoever_the_balancer_saw(certificates, tmp_path, kind):
    """Ended here and on by plain text: the clouds see the address of the client, and neither the balancer's nor what it says itself."""
    if kind == "envoy" and not balancer.ENVOY:
        pytest.skip("no envoy here (make envoy-test)")
    audit = tmp_path / "audit.jsonl"
    with Fleet(tmp_path, 1, flags=(f"--audit={audit}",)) as fleet:
        folder = certificates.folder / "balancer"
        with (
            balancer.HAProxy(tmp_path, fleet.ports, CERTIFICATE=str(folder / "both.pem"))
            if kind == "haproxy"
            else balancer.Envoy(tmp_path, fleet.ports, certificate=str(folder))
        ) as balanced:
            balanced.wait_for_clouds(1, count=1)
            run = fleet.edge(balanced.url, frames=10, ca=certificates.path("edge", "ca.crt"))
            run.finish()
            fleet.join(run)
            assert set(run.answered_by()) == {"cloud"}
            context = ssl.create_default_context(cafile=certificates.path("edge", "ca.crt"))
            liar = HTTPSConnection(
                "127.0.0.1", balanced.port, timeout=60, context=context, source_address=("127.0.0.2", 0)
            )
            said = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
            with closing(liar):
                liar.request("POST", "/model", b"no frame", said)
                assert liar.getresponse().status == 400
        fleet.clouds[0].stop()
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    assert [line["client"] for line in lines] == ["127.0.0.2"], lines
