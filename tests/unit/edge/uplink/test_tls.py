"""The line to a cloud behind TLS: what is wrong is named, and renewed files cost no frame."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from kits.certificates import Certificates
from kits.uplink import FRAME, fake_cloud, make_uplink, metric

from edge.config import EdgeSettings
from edge.metrics import EdgeMetrics
from edge.network.agreed_weights import agreed_weights
from edge.network.download import get, open_session
from edge.uplink.line import context_of, trust_of
from shared.errors import FetchError, UplinkError
from shared.security.tls.context import FixedContext, TLSFiles, client_context, server_context
from shared.security.tls.renewal import RenewedContext


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Certificates.at(tmp_path_factory.mktemp("authority"))


def renewed(files, metrics=None):
    return RenewedContext(client_context, files, metrics=metrics or EdgeMetrics(), certificate="client")


@contextlib.asynccontextmanager
async def cloud_and_uplink(made, tls, **options):
    async with (
        fake_cloud(server_context(made.files("cloud"))) as cloud,
        make_uplink(cloud.url, tls=tls, **options) as uplink,
    ):
        yield cloud, uplink


async def refusal(uplink):
    with pytest.raises(UplinkError) as caught:
        await uplink.ask(FRAME)
    return caught.value


def test_frames_are_answered_on_one_connection(made):
    async def go():
        async with cloud_and_uplink(made, renewed(made.files("edge"))) as (cloud, uplink):
            await uplink.check()
            for _ in range(5):
                assert (await uplink.ask(FRAME)).answer
            assert len(cloud.connections) == 1

    asyncio.run(go())


def test_what_is_wrong_with_the_cloud_is_named_and_no_frame_sent(made, tmp_path):
    other = Certificates.at(tmp_path)

    async def go(files, wanted):
        async with cloud_and_uplink(made, renewed(files)) as (cloud, uplink):
            error = await refusal(uplink)
            assert error.reason == "untrusted", error
            assert wanted in str(error)
            assert cloud.frames == []

    asyncio.run(go(other.files("edge"), "give --ca the file of the CA that has signed it"))
    made.expired("cloud")
    asyncio.run(go(made.files("edge"), "certificate has expired; renew it on the cloud"))
    made.issue("elsewhere", ("elsewhere.example",), "cloud")
    asyncio.run(go(made.files("edge"), "give --cloud-url a name that it is for"))
    made.issue("cloud")


def test_a_cloud_that_does_not_take_the_edge_is_named(made, tmp_path):
    other = Certificates.at(tmp_path)
    files = TLSFiles(
        other.path("edge", "tls.crt"), other.path("edge", "tls.key"), made.path("edge", "ca.crt")
    )

    async def go():
        async with cloud_and_uplink(made, renewed(files)) as (cloud, uplink):
            error = await refusal(uplink)
            # As it comes: the cloud's alert, or only the end of the connection.
            assert error.reason in ("untrusted", "unreachable"), error
            assert "--client-certificate" in str(error)
            assert cloud.frames == []

    asyncio.run(go())


def test_a_cloud_without_tls_is_named(made):
    async def go():
        async with fake_cloud() as cloud:
            url = cloud.url.replace("http:", "https:")
            async with make_uplink(url, tls=renewed(made.files("edge"))) as uplink:
                error = await refusal(uplink)
                assert error.reason == "untrusted", error
                assert "is it an http:// address?" in str(error)

    asyncio.run(go())


def test_renewed_files_cost_no_frame(made):
    """Four frames are under way all the time while the edge's certificate is renewed five times."""

    async def go():
        metrics = EdgeMetrics()
        tls = renewed(made.files("edge"), metrics)
        async with cloud_and_uplink(made, tls, metrics=metrics) as (cloud, uplink):
            answered, over = [0], asyncio.Event()

            async def camera():
                while not over.is_set():
                    await uplink.ask(FRAME)
                    answered[0] += 1

            cameras = [asyncio.create_task(camera()) for _ in range(4)]
            contexts = {tls.context}
            for days in range(1, 6):
                goal = answered[0] + 20
                while answered[0] < goal:
                    await asyncio.sleep(0)
                made.issue("edge", days=days)
                tls.look()
                tls.look()
                contexts.add(tls.context)
            over.set()
            await asyncio.gather(*cameras)
            assert len(contexts) == 6
            assert len(cloud.frames) == answered[0]
            assert metric(uplink, "retries_total") == 0
            assert metric(uplink, "certificate_renewals_total", certificate="client", result="taken") == 5

    asyncio.run(go())
    made.issue("edge")


def test_bundles_and_weights_are_asked_for_with_the_same_trust(made, tmp_path):
    other = Certificates.at(tmp_path)
    right, wrong = (client_context(each.files("edge")) for each in (made, other))
    fixed = {
        FixedContext(right, made.files("edge")): "IMAGENET1K_V1",
        FixedContext(wrong, other.files("edge")): "auto",
    }

    async def go():
        async with fake_cloud(server_context(made.files("cloud"))) as cloud:
            said = {"model": "resnet18", "weights": "IMAGENET1K_V1"}
            cloud.model = said | {"fingerprint": "00" * 8}
            async with open_session(tls=right) as session, get(session, f"{cloud.url}/model") as response:
                assert response.status == 200
            async with open_session(tls=wrong) as session:
                with pytest.raises(FetchError, match="give --ca the file of the CA"):
                    async with get(session, f"{cloud.url}/model"):
                        pass
            for tls, weights in fixed.items():
                agreed = await asyncio.to_thread(agreed_weights, cloud.url, "resnet18", "auto", 0, tls=tls)
                assert agreed == (weights, 0)

    asyncio.run(go())


def test_only_an_https_cloud_is_checked(made):
    plain = EdgeSettings(cloud_url="http://127.0.0.1:1")
    assert trust_of(plain, EdgeMetrics()) is context_of(plain) is None
    metrics = EdgeMetrics()
    given = EdgeSettings(
        cloud_url="https://127.0.0.1:1",
        ca=made.path("edge", "ca.crt"),
        client_certificate=made.path("edge", "tls.crt"),
        client_key=made.path("edge", "tls.key"),
    )
    tls = trust_of(given, metrics)
    assert tls
    assert len(tls.context.get_ca_certs()) == 1
