"""Kubernetes tells every container about every Service by variables: those of a Service whose name begins with ours are no settings."""

from __future__ import annotations

import os

import pytest

from shared.errors import SettingsError
from shared.process.settings import PREFIX, CommonSettings, read_settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)


def refusal() -> str:
    with pytest.raises(SettingsError) as caught:
        read_settings(CommonSettings, {})
    return str(caught.value)


def service(name: str, port_name: str = "") -> dict[str, str]:
    """The variables by which the kubelet tells every container about a Service."""
    prefix = name.upper().replace("-", "_")
    named = {f"{prefix}_SERVICE_PORT_{port_name.upper().replace('-', '_')}": "8881"} if port_name else {}
    return named | {
        f"{prefix}_SERVICE_HOST": "10.96.0.12",
        f"{prefix}_SERVICE_PORT": "8881",
        f"{prefix}_PORT": "tcp://10.96.0.12:8881",
        f"{prefix}_PORT_8881_TCP": "tcp://10.96.0.12:8881",
        f"{prefix}_PORT_8881_TCP_PROTO": "tcp",
        f"{prefix}_PORT_8881_TCP_PORT": "8881",
        f"{prefix}_PORT_8881_TCP_ADDR": "10.96.0.12",
    }


def test_what_kubernetes_says_of_services_is_no_setting_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    class PortSettings(CommonSettings):
        """With settings of the names that Services called `splitdnn` and `splitdnn-status` take."""

        port: int = 8881
        status_port: int = 8882

    links = service("splitdnn") | service("splitdnn-cloud", "http-api") | service("splitdnn-status")
    links |= {
        "SPLITDNN_V6_SERVICE_HOST": "fd00:10:96::12",
        "SPLITDNN_V6_PORT": "udp://[fd00:10:96::12]:8881",
        "SPLITDNN_V6_PORT_53_UDP": "udp://[fd00:10:96::12]:53",
        "SPLITDNN_V6_PORT_53_UDP_ADDR": "fd00:10:96::12",
    }
    for name, text in links.items():
        monkeypatch.setenv(name, text)
    settings = read_settings(PortSettings, {})
    assert (settings.port, settings.status_port) == (8881, 8882)
    monkeypatch.setenv("SPLITDNN_PORT", "9000")  # as in a pod's own `env`
    monkeypatch.setenv("SPLITDNN_STATUS_PORT", "")
    settings = read_settings(PortSettings, {})
    assert (settings.port, settings.status_port) == (9000, 8882)


def test_only_the_form_of_a_service_s_variable_makes_it_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {
        "SPLITDNN_SERVICE_HOST": "cloud.example.org",
        "SPLITDNN_SERVICE_PORT": "http",
        "SPLITDNN_PORTS": "tcp://10.96.0.12:8881",
        "SPLITDNN_PORT_8881": "tcp://10.96.0.12:8881",
        "SPLITDNN_CLOUD_URL_PORT": "8881",
        "SPLITDNN_PROT": "1",
    }.items():
        with monkeypatch.context() as patch:
            patch.setenv(name, text)
            assert refusal().startswith(f"unknown variable {name}; did you mean SPLITDNN_"), name
    monkeypatch.setenv("SPLITDNN_SEED", "tcp://10.96.0.12:8881")
    assert refusal().startswith("SPLITDNN_SEED=tcp://10.96.0.12:8881: ")
