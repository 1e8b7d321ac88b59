"""What deploy/kubernetes tells its pods, told to processes here: there is no cluster, but the same settings, files, probes and end."""

import os
import shutil
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from kits import bundles
from kits.balancer import HAPROXY
from kits.common import ROOT, wait_for
from kits.kubernetes.pods import environment
from kits.kubernetes.rendered import named, of_kind, pod_of, together

from bench.harness.process import free_port

RIGHTS = {"edge": "edge", "prometheus": "metrics"}


def told(objects, name, folder):
    """The variables of a pod's process, with its volumes below `folder` and nothing of this shell's settings."""
    [container] = pod_of(named(objects, "Deployment", name))["containers"]
    places = sorted((each["mountPath"] for each in container["volumeMounts"]), key=len, reverse=True)
    found = {key: value for key, value in os.environ.items() if not key.startswith("SPLITDNN_")}
    for key, value in environment(objects, container).items():
        inside = next((place for place in places if f"{value}/".startswith(f"{place}/")), None)
        found[key] = f"{folder}{value}" if inside else value
    for place in places:
        (folder / place[1:]).mkdir(parents=True, exist_ok=True)
    return found


def token(name, folder):
    """A token in a file, and its line in the clouds', as docs/kubernetes.md makes them."""
    made = subprocess.run(
        [sys.executable, "-m", "splitdnn", "token", "new", name, "--rights", RIGHTS[name]],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    with (folder / "secrets/cloud.tokens").open("a", encoding="utf-8") as tokens:
        tokens.write(made.stdout)
    return made.stderr.strip()


def certificates(folder):
    """Secret -> the folder of its files, as docs/kubernetes.md makes them."""
    names = {
        "splitdnn-cloud": "splitdnn-cloud,splitdnn-clouds.splitdnn.svc.cluster.local,127.0.0.1",
        "balancer": "balancer,splitdnn-cloud",
    }
    subprocess.run(
        [sys.executable, "-m", "splitdnn", "authority", str(folder), *names.values()],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    return {
        "splitdnn-cloud-tls": folder / "splitdnn-cloud",
        "splitdnn-balancer-tls": folder / "balancer",
    }


def mount(objects, name, folder, secrets):
    """Put the files of these Secrets where the pod has them."""
    pod = pod_of(named(objects, "Deployment", name))
    [container] = pod["containers"]
    places = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    for volume in pod["volumes"]:
        secret = volume.get("secret", {})
        for item in secret.get("items", []) if secret.get("secretName") in secrets else []:
            shutil.copy(
                secrets[secret["secretName"]] / item["key"],
                f"{folder}{places[volume['name']]}/{item['path']}",
            )


def status(url, shown=None, context=None):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {shown}"} if shown else {})
    try:
        with urllib.request.urlopen(request, timeout=60, context=context) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.mark.parametrize("components", [(), ("tls",)])
def test_a_cloud_starts_serves_and_ends_as_its_pod_says(components, tmp_path):
    (tmp_path / "files").mkdir()
    objects = together(tmp_path / "files", *components)
    pod = pod_of(named(objects, "Deployment", "splitdnn-cloud"))
    [container] = pod["containers"]
    variables = told(objects, "splitdnn-cloud", tmp_path)
    shutil.copytree(bundles.tiny().folder, tmp_path / "bundles/network", dirs_exist_ok=True)
    shown = {name: token(name, tmp_path) for name in RIGHTS}
    port, context = free_port(), None
    if components:
        secrets = certificates(tmp_path / "authority")
        mount(objects, "splitdnn-cloud", tmp_path, secrets)
        context = ssl.create_default_context(cafile=secrets["splitdnn-cloud-tls"] / "ca.crt")
    scheme = container["startupProbe"]["httpGet"].get("scheme", "HTTP").lower()
    url = f"{scheme}://127.0.0.1:{port}"
    variables |= {"SPLITDNN_ADDRESS": "127.0.0.1", "SPLITDNN_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "cloud"], cwd=ROOT, env=variables, stderr=subprocess.PIPE, text=True
    )
    try:
        startup = container["startupProbe"]
        wait_for(
            lambda: status(url + startup["httpGet"]["path"], context=context) == 200,
            "the start-up probe",
            startup["periodSeconds"] * startup["failureThreshold"],
        )
        for kind in ("readinessProbe", "livenessProbe"):
            assert status(url + container[kind]["httpGet"]["path"], context=context) == 200, kind
        for path, name, answer in (
            ("/model", None, 401), ("/model", "edge", 200), ("/metrics", "edge", 403), ("/metrics", "prometheus", 200),
        ):  # fmt: skip
            assert status(url + path, name and shown[name], context) == answer, (path, name)
        process.send_signal(signal.SIGTERM)
        left_s = pod["terminationGracePeriodSeconds"] - container["lifecycle"]["preStop"]["sleep"]["seconds"]
        _, said = process.communicate(timeout=left_s)
        assert process.returncode == 0, said
        assert "ERROR" not in said.upper(), said
    finally:
        process.kill()
        process.wait()


def test_an_edge_takes_its_settings(tmp_path):
    objects = together(tmp_path, "edge")
    variables = told(objects, "splitdnn-edge", tmp_path)
    made = subprocess.run(
        [sys.executable, "-m", "edge", "--print-config"],
        cwd=ROOT, env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "SPLITDNN_CLOUD_URL=http://splitdnn-cloud:8881\n" in made.stdout


@pytest.mark.skipif(not HAPROXY, reason="no haproxy here")
@pytest.mark.parametrize("components", [("balancer",), ("balancer", "tls")])
def test_the_balancer_takes_its_file_and_variables(components, tmp_path):
    (tmp_path / "files").mkdir()
    objects = together(tmp_path / "files", *components)
    [file] = [
        each
        for each in of_kind(objects, "ConfigMap")
        if each["metadata"]["name"].startswith("splitdnn-balancer-")
    ]
    (tmp_path / "haproxy.cfg").write_text(file["data"]["haproxy.cfg"], encoding="utf-8")
    variables = told(objects, "splitdnn-balancer", tmp_path)
    mount(
        objects,
        "splitdnn-balancer",
        tmp_path,
        certificates(tmp_path / "authority") if "tls" in components else {},
    )
    assert variables["DNS"].endswith(":53")
    variables["DNS"] = "127.0.0.1:53"  # the name of the cluster's is known there alone
    made = subprocess.run(
        [HAPROXY, "-c", "-f", str(tmp_path / "haproxy.cfg")],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
