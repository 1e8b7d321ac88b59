"""`GET /openapi.yaml`, and live answers as it describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.cloud import FRAME, JSON, Server
from kits.codecs import picture
from kits.followed import followed
from kits.openapi import PATH, filled, operations, require_described
from kits.picture_files import saved
from kits.tokens import Tokens, bearing
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kits.followed import Followed

    from shared.codecs.calibrated.profile import Profile

OLD = b"old....."
ARRAY = np.linspace(-1, 1, 512, dtype=np.float32)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Followed]:
    with followed(tmp_path / "bundle", OLD, serve_bundle=True) as running:
        yield running


def test_the_document_is_served_and_kept_for_a_while(server: Server) -> None:
    answer = server.ask("GET", "/openapi.yaml")
    assert (answer.status, answer.body) == (200, PATH.read_bytes())
    assert answer.headers["content-type"] == "application/yaml"
    assert answer.headers["cache-control"] == "public, max-age=300"
    again = server.ask("GET", "/openapi.yaml", **{"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert server.ask("HEAD", "/openapi.yaml").headers["content-length"] == str(len(answer.body))


def test_everybody_may_read_it(tmp_path: Path) -> None:
    with Server(token_file=str(Tokens(tmp_path / "tokens").path)) as guarded:
        assert guarded.ask("GET", "/openapi.yaml").status == 200


def test_what_can_be_read_is_as_described(cloud: Followed) -> None:
    for path, method, _ in operations():
        if method == "GET" and "{name}" not in path:
            answer = cloud.ask("GET", filled(path))
            assert answer.status == 200, path
            require_described("GET", path, answer)
            etag = answer.headers.get("etag")
            again = cloud.ask("GET", filled(path), **({"If-None-Match": etag} if etag else {}))
            if again.status == 304 or path not in {"/metrics", "/tail-times", "/profile"}:
                require_described("GET", path, again)


def test_files_of_bundles_are_as_described(cloud: Followed) -> None:
    path = "/bundle/{fingerprint}/{file}"
    for asked, status in (("bytes=3-", 206), ("bytes=999-", 416), ("nonsense", 200)):
        answer = cloud.ask("GET", filled(path), Range=asked)
        assert answer.status == status
        require_described("GET", path, answer)


def test_answers_are_as_described(cloud: Followed) -> None:
    file = saved(Image.fromarray(picture(12, 16)), "JPEG")
    for kind, body, status in (
        ({"Content-Type": "image/jpeg"}, file, 200),
        ({"Content-Type": "image/jpeg"}, file[:99], 422),
        ({"Content-Type": "image/gif"}, b"", 415),
        ({"Content-Type": "multipart/form-data"}, b"", 400),
        (FRAME, b"no frame", 400),
        (JSON, b'{"data": [], "split_point": "flatten"}', 422),
        (JSON, b"[" * 99, 400),
    ):
        answer = cloud.post(body, kind)
        assert answer.status == status, kind
        require_described("POST", "/model", answer)
    require_described("POST", "/model", cloud.ask_frame(OLD, ARRAY))
    refused = cloud.ask_frame(b"another.", ARRAY)
    assert refused.status == 409
    require_described("POST", "/model", refused)
    numbers = cloud.post({"data": [ARRAY.tolist()], "split_point": "flatten", "count": 3})
    assert numbers.status == 200
    require_described("POST", "/model", numbers)
    require_described("POST", "/compute", cloud.post({"number": 7}, path="/compute"))
    for path in ("/login", "/logout"):
        require_described("POST", path, cloud.post(b"", FORM, path))


@pytest.mark.usefixtures("gained")
def test_profiles_are_as_described(tmp_path: Path, make: Any) -> None:
    with Server(profile_folder=str(tmp_path)) as fresh:
        _profiles_are_as_described(fresh, make)


def _profiles_are_as_described(fresh: Server, make: Any) -> None:
    profile: Profile = make()
    path = "/profiles/{name}"
    assert fresh.ask("GET", filled(path)).status == 404
    for status in (201, 200):
        answer = fresh.put_profile(profile.data)
        assert answer.status == status
        require_described("PUT", path, answer)
    require_described("PUT", path, fresh.put_profile(b"no profile"))
    require_described("GET", path, fresh.ask("GET", f"/profiles/{profile.name}"))
    require_described("GET", path, fresh.ask("GET", filled(path)))
    file = fresh.ask("GET", f"/profiles/{profile.name}/file")
    assert (file.status, file.body) == (200, profile.data)
    require_described("GET", f"{path}/file", file)
    require_described("GET", "/profiles", fresh.ask("GET", "/profiles"))


def test_strangers_are_refused_as_described(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "tokens")
    with Server(token_file=str(tokens.path)) as guarded:
        for path, method, operation in operations():
            needed = set(operation["x-rights"])
            others = sorted(set(tokens.of) - needed)
            for token, status in ((None, 401), (tokens.of[others[0]] if others else None, 403)):
                if not needed or (status == 403 and not token):
                    continue
                answer = guarded.ask(method, filled(path), b"", **(bearing(token) if token else {}))
                assert answer.status == status, (method, path)
                require_described(method, path, answer)


def test_a_question_about_no_network_is_refused(cloud: Followed) -> None:
    """An empty fingerprint is none, and was once taken for the current network's."""
    for text in ("", "6F6C642E2E2E2E2E", "1"):
        cloud.ask("GET", f"/tail-times?fingerprint={text}").refused(400, "bad_body")
