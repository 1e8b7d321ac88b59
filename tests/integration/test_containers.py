"""What compose.yaml promises of its containers, as Docker runs them: nothing open beyond this machine, nothing to write to but their own."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from kits import deployments

pytestmark = pytest.mark.timeout(600)

SIDES = ("cloud", "edge", "prometheus")


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def containers(system) -> dict[str, dict[str, Any]]:
    """Service -> what Docker says of its container; the edge is created for that, and never started."""
    if not isinstance(system, deployments.ComposeDeployment):
        pytest.skip("no Docker engine answers")
    system._compose("create", "--no-recreate", "edge")
    try:
        identifiers = {name: system._compose("ps", "--all", "--quiet", name).strip() for name in SIDES}
        return {name: json.loads(docker("inspect", each))[0] for name, each in identifiers.items()}
    finally:
        system._compose("rm", "--force", "edge")


def test_what_is_published_is_reached_from_this_machine_only(containers):
    for name, container in containers.items():
        published = {
            (side["HostIp"], inside)
            for inside, sides in container["HostConfig"]["PortBindings"].items()
            for side in sides
        }
        expected = {
            "cloud": {("127.0.0.1", "8881/tcp")},
            "edge": {("127.0.0.1", "8882/tcp")},
            "prometheus": {("127.0.0.1", "9090/tcp")},
        }
        assert published == expected[name], name
        assert not container["HostConfig"]["PublishAllPorts"], name


def test_they_have_no_rights_and_limits_to_everything(containers):
    for name, container in containers.items():
        given = container["HostConfig"]
        assert given["ReadonlyRootfs"], name
        assert given["CapDrop"] == ["ALL"], name
        assert not given["CapAdd"], name
        assert not given["Privileged"], name
        assert given["SecurityOpt"] == ["no-new-privileges:true"], name
        assert given["Memory"] > 0, name
        assert given["PidsLimit"] > 0, name
        assert container["Config"]["User"] not in ("", "0", "root"), name
    for name in ("cloud", "edge"):
        assert containers[name]["Config"]["User"] == "10001:10001"
        (limit,) = containers[name]["HostConfig"]["Ulimits"]
        assert (limit["Name"], limit["Soft"], limit["Hard"]) == ("nofile", 4096, 4096)


def test_no_two_of_them_can_write_to_one_place(containers):
    writable = {
        name: {mount["Source"]: mount["Destination"] for mount in container["Mounts"] if mount["RW"]}
        for name, container in containers.items()
    }
    assert {name: set(each.values()) for name, each in writable.items()} == {
        "cloud": {"/cache"},
        "edge": {"/cache", "/results"},
        "prometheus": {"/prometheus"},
    }
    sources = [source for each in writable.values() for source in each]
    assert len(set(sources)) == len(sources)


def test_it_can_write_nowhere_else(system, containers):
    script = "for at in / /app /bundles /media /weights/local /usr/local/lib; do ! touch $at/x 2>/dev/null || echo $at; done; touch /cache/x /tmp/x; ulimit -n"
    assert system._compose("exec", "--no-TTY", "cloud", "sh", "-c", script) == "4096\n"


def test_health_is_what_docker_asks(containers):
    for name in ("cloud", "prometheus"):
        assert containers[name]["State"]["Health"]["Status"] == "healthy", name


def test_every_image_says_what_it_is_made_of(containers):
    """As scanners read it; each package of an index is one that the locks name, with its hash."""
    locks = "".join(path.read_text(encoding="utf-8") for path in (deployments.ROOT / "locks").glob("*.txt"))
    wanted = {"cloud": {"tornado", "openvino"}, "edge": {"aiohttp", "av"}}
    for name, packages in wanted.items():
        image = containers[name]["Config"]["Image"]
        bill = json.loads(docker("run", "--rm", "--network", "none", image, "cat", "/app/sbom.cdx.json"))
        assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
        assert bill["metadata"]["component"]["name"] == f"splitdnn-{name}"
        found = {
            part["name"]: part for part in bill["components"] if part.get("purl", "").startswith("pkg:pypi")
        }
        assert packages <= set(found), name
        assert "torch" not in found, name
        for package, part in found.items():
            assert f"{package}=={part['version']}" in locks, (name, package)
            assert any(f"sha256:{digest['content']}" in locks for digest in part["hashes"]), (name, package)
