"""The kit sees what a page shows, says, asks for and takes, by a little page with every fault that it must find."""

from __future__ import annotations

import contextlib
import http.server
import threading
from typing import TYPE_CHECKING

import pytest
from kits.browser import tab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

SOUND = """<!DOCTYPE html><html lang="en"><head><title>sound</title></head><body><main><h1>Sound</h1>
<p id="time">-</p><button>Press</button></main><script nonce="n">
const source = new EventSource("/events");
source.onmessage = (event) => { document.getElementById("time").textContent = event.data; };
document.querySelector("button").onclick = () => { document.title = "pressed"; };
</script></body></html>"""
FAULTY = """<!DOCTYPE html><html lang="en"><head><title>faulty</title></head><body><main><h1>Faulty</h1>
<p style="color: #bbb">pale</p><img src="http://127.0.0.2:1/a.png"></main><script nonce="n">
window.kept = [];
window.leak = (count) => { for (let i = 0; i < count; i++) { const each = document.createElement("p"); kept.push(each); document.body.append(each); } };
throw new Error("as the test says");
</script><script>document.title = "ran"</script></body></html>"""
POLICY = (
    "default-src 'none'; script-src 'nonce-n'; connect-src 'self'; img-src 'self'; style-src 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        stream = self.path == "/events"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if stream else "text/html")
        strict = self.path != "/pale"  # which needs a style for its fault
        self.send_header("Content-Security-Policy", POLICY if strict else "img-src 'self'")
        self.end_headers()
        with contextlib.suppress(OSError):
            if not stream:
                self.wfile.write((SOUND if self.path == "/sound" else FAULTY).encode())
                return
            for number in range(10_000):
                self.wfile.write(f"data: {number}\n\n".encode())
                if self.server.ending.wait(0.02):
                    return


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    ending: threading.Event


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.ending = threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.ending.set()
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_a_sound_page_is_seen_and_used_and_nothing_is_found(browser: Browser, url: str) -> None:
    with tab(browser) as this:
        this.open(f"{url}/sound")
        this.until("Number(document.getElementById('time').textContent) > 5", what="events")
        assert this.violations() == []
        this.page.keyboard.press("Tab")
        this.page.keyboard.press("Enter")
        this.until("document.title === 'pressed'", what="a pressed button")
        assert this.complaints == []
        assert {f"http://{host}" for host in this.hosts()} == {url}


def test_what_is_wrong_with_a_page_is_found(browser: Browser, url: str) -> None:
    with tab(browser, scheme="dark", width=360) as this:
        this.open(f"{url}/pale")
        found = {each.partition(":")[0] for each in this.violations()}
        assert {"color-contrast", "image-alt"} <= found
        assert "exception: as the test says" in this.complaints
        assert this.page.evaluate("innerWidth") == 360
        assert this.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    with tab(browser) as this:
        this.open(f"{url}/faulty")
        said = "\n".join(this.complaints)
        assert "Content Security Policy" in said
        assert this.page.title() == "faulty", "a script ran that the policy forbids"


def test_a_page_that_grows_is_seen_to_grow_and_one_that_does_not_is_not(browser: Browser, url: str) -> None:
    with tab(browser) as this:
        this.open(f"{url}/faulty")
        before = this.size()
        this.page.evaluate("window.leak(5000)")
        after = this.size()
        assert after.nodes - before.nodes >= 5000
        assert after.heap_bytes > before.heap_bytes
    with tab(browser) as this:
        this.open(f"{url}/sound")
        this.until("Number(document.getElementById('time').textContent) > 5", what="events")
        before = this.size()
        this.until("Number(document.getElementById('time').textContent) > 60", what="events")
        assert abs(this.size().nodes - before.nodes) < 20


def test_what_does_not_come_is_told_with_what_the_page_shows(browser: Browser, url: str) -> None:
    with tab(browser) as this:
        this.open(f"{url}/sound")
        with pytest.raises(AssertionError, match=r"(?s)the impossible.*Press"):
            this.until("document.title === 'never'", what="the impossible", seconds=0.3)
