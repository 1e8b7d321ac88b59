"""The README's HTTP examples, as printed but for the port."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess

import pytest
from kits.readme import commands

EXAMPLES = [command for command in commands() if command.startswith("curl ")]


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_the_curl_examples_answer_as_the_readme_says(system):
    answers = {}
    for example in EXAMPLES:
        command = example.replace("http://127.0.0.1:8881", system.cloud_url)
        done = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        answers[example.rpartition("8881")[2].split("'")[0]] = done.stdout
    assert "Hello" in answers["/"]
    assert json.loads(answers["/compute"]) == {"result": 49}
    assert {"model", "fingerprint", "split_points", "codecs", "limits"} <= json.loads(
        answers["/model"]
    ).keys()
