"""A benchmark's keys: what the cloud is given lets in whoever shows what its clients are given."""

import ssl

from bench.harness.keys import WATCHER, Keys
from shared.security.rights import GROUPS
from shared.security.tokens.file import TokenFile


def test_each_name_has_a_token_of_its_own_that_the_clouds_file_knows(tmp_path):
    keys = Keys.make(tmp_path / "keys", ["gate", "yard"])
    keyring = TokenFile(str(tmp_path / "keys" / "tokens")).keyring
    shown = {
        name: keys.headers(name)["Authorization"].removeprefix("Bearer ")
        for name in ("gate", "yard", WATCHER)
    }
    assert len(set(shown.values())) == 3
    for name, token in shown.items():
        grant = keyring.of_token(token)
        assert (grant.name, grant.rights) == (name, GROUPS["all" if name == WATCHER else "edge"])
    assert keys.headers() == keys.headers(WATCHER)


def test_the_flags_name_files_that_are_there_and_a_client_checks_the_cloud(tmp_path):
    keys = Keys.make(tmp_path, ["gate"])
    flags = dict(
        flag.removeprefix("--").split("=") for flag in [*keys.cloud_flags(), *keys.edge_flags("gate")]
    )
    assert set(flags) == {"certificate", "key", "token-file", "ca", "cloud-token-file"}
    for path in flags.values():
        assert (tmp_path / path).is_file(), path
    assert keys.context.verify_mode is ssl.CERT_REQUIRED
    assert keys.context.check_hostname
