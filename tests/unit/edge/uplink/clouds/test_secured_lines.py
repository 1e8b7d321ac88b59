"""Several clouds behind TLS: one set of files for all, and nothing of it for what is not encrypted."""

from __future__ import annotations

import asyncio

from aiohttp import web
from kits.certificates import Certificates
from kits.tokens import Tokens
from kits.uplink import FRAME, LABELS, MODEL, WANTED, fake_cloud

from edge.config import EdgeSettings
from edge.metrics import EdgeMetrics
from edge.uplink.clouds.addresses import name_of
from edge.uplink.clouds.opening import make_line, make_uplink
from shared.security.tls.context import server_context
from shared.security.tokens.bearer import Bearer
from shared.tasks.classify import Classify


def test_all_of_them_are_checked_with_the_same_files_and_shown_the_same_token(tmp_path):
    made, tokens = Certificates.at(tmp_path), Tokens(tmp_path / "tokens")
    token, shown = tmp_path / "token", []
    token.write_text(next(iter(tokens.of.values())))

    async def check():
        server = server_context(made.files("cloud"))
        async with fake_cloud(server) as one, fake_cloud(server) as other:
            settings = EdgeSettings(cloud_url=f"{one.url},{other.url}", ca=made.path("edge", "ca.crt"))
            metrics, bearer = EdgeMetrics(), Bearer.of_file(str(token))
            line = make_line(settings, metrics, in_flight=4, deadline_s=60.0, bearer=bearer)
            clients = [member.line.client for member in line.members]
            assert clients[0].tls is clients[1].tls is line._tls, (
                "which is read again for all of them at once"
            )
            for cloud in (one, other):
                cloud.model = noting(cloud.model, shown)
            async with line:
                task = Classify(LABELS, WANTED.top)
                uplink = make_uplink(line, MODEL, task, metrics, wanted=WANTED, follows=False)
                await uplink.check()
                uplink.take_over()
                while not all(seat.joined for seat in uplink._seats):
                    await asyncio.sleep(0.001)
                asked = uplink.asking(WANTED, task, 5.0)
                said = {(await asked.ask(FRAME)).address for _ in range(20)}
                await uplink.close()
            assert said == {name_of(one.url), name_of(other.url)}
            assert set(shown) == {f"Bearer {token.read_text()}"}
            assert len(shown) == 2

    asyncio.run(asyncio.wait_for(check(), 120))


def noting(said, shown):
    async def answer(request):
        shown.append(request.headers.get("Authorization"))
        return web.json_response(said)

    return answer


def test_on_this_machine_one_with_tls_and_one_without_may_be_mixed(tmp_path):
    made = Certificates.at(tmp_path)
    settings = EdgeSettings(
        cloud_url="https://127.0.0.1:1,http://localhost:2", ca=made.path("edge", "ca.crt")
    )
    line = make_line(settings, EdgeMetrics(), in_flight=4, deadline_s=5.0, bearer=None)
    encrypted, plain = (member.line.client for member in line.members)
    assert encrypted.tls is line._tls
    assert plain.tls is None
