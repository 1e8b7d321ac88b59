#!/usr/bin/env bash
# kserve 0.21.0: `InferenceRESTClient` tells a server's error only where the answer's Content-Type is `application/json` to the letter. Behind
# `application/json; charset=UTF-8`, which Tornado, Spring and others write, the HTTPStatusError has an empty message in front of the status.
# Expected: parameters of a media type do not change what it is (RFC 9110, 8.3.1), so the text of `{"error": …}` is in the exception both times.
# Matters to: cloud/http/v2/asking.py (JSON_TYPE), where answers leave the parameter out.
# Seen 2026-11-29, Python 3.11, x86-64: application/json: told; application/json; charset=UTF-8: lost
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check kserve==0.21.0
seen=$("$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import http.server
import threading

import httpx
from kserve import InferenceRESTClient, RESTConfig

found = []


class Refusing(http.server.BaseHTTPRequestHandler):
    kind = ""

    def do_POST(self):
        body = b'{"error": "the reason"}'
        self.send_response(400)
        self.send_header("Content-Type", self.kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


async def ask(url):
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        try:
            await client.infer(url, {"inputs": []}, model_name="any")
        except httpx.HTTPStatusError as error:
            return "told" if "the reason" in str(error) else "lost"


with http.server.HTTPServer(("127.0.0.1", 0), Refusing) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for Refusing.kind in ("application/json", "application/json; charset=UTF-8"):
        found.append(f"{Refusing.kind}: {asyncio.run(ask(f'http://127.0.0.1:{server.server_port}'))}")
    server.shutdown()
print("; ".join(found))
PYTHON
)
seen=$(tail -n 1 <<<"$seen")
echo "$seen"
[ "$seen" = "application/json: told; application/json; charset=UTF-8: lost" ] || { echo "finding no longer holds: $0" >&2; exit 1; }
