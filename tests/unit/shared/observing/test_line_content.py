"""What lines of JSON may hold."""

from __future__ import annotations

import json
import os

from shared.observing.json_lines import encoded


def test_a_files_name_that_is_not_utf_8_comes_back_from_its_line():
    for name in (b"z\xff.jpg", b"\xe9t\xe9.png", "été.png".encode(), b"a\\xff.jpg"):
        line = encoded({"file": os.fsdecode(name)})
        assert line.endswith(b'"}\n')
        assert os.fsencode(json.loads(line)["file"]) == name, name
        assert line.decode("utf-8"), "other readers want UTF-8"
