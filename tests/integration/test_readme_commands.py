"""The README's HTTP examples, as printed but for the port."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess

import cv2
import numpy as np
import pytest
from kits.readme import commands

EXAMPLES = [command for command in commands() if command.startswith("curl ")]


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_the_curl_examples_answer_as_the_readme_says(system, tmp_path):
    answers, pictures = {}, []
    cv2.imwrite(str(tmp_path / "dog.jpg"), np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8))
    for example in EXAMPLES:
        command = example.replace("http://127.0.0.1:8881", system.cloud_url)
        done = subprocess.run(
            shlex.split(command), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        if "dog.jpg" in example:
            pictures.append(json.loads(done.stdout))
            continue
        answers[example.rpartition("8881")[2].split("'")[0]] = done.stdout
    assert "Hello" in answers["/"]
    assert json.loads(answers["/compute"]) == {"result": 49}
    assert {"model", "fingerprint", "split_points", "codecs", "limits"} <= json.loads(
        answers["/model"]
    ).keys()
    as_body, as_form = pictures
    assert len(as_body["top"]) == 3, as_body
    assert as_form["top"][:3] == as_body["top"], "the same picture has the same answer"
