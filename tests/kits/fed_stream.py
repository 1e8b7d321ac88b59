"""A page's stream of events in the hands of a test: what the server says can be held back, and states of the test's own pushed to the page.

Heartbeats of the server still come through, so the page does not think itself lost. `over` and errors do not, while it is held.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kits.browser import Tab

_SCRIPT = """(() => {
  const Real = window.EventSource, fed = window.fed = { latest: null, held: false, page: null };
  window.EventSource = class {
    constructor(url) {
      this.listeners = {};
      this.real = new Real(url);
      fed.page = this;
      this.real.onopen = (event) => fed.held || this.onopen?.(event);
      this.real.onerror = (event) => fed.held || this.onerror?.(event);
      this.real.onmessage = (event) => { fed.latest = event.data; fed.held || this.onmessage?.(event); };
      this.real.addEventListener("beat", (event) => this.listeners.beat?.(event));
      this.real.addEventListener("over", (event) => fed.held || this.listeners.over?.(event));
    }
    addEventListener(name, listener) { this.listeners[name] = listener; }
    close() { this.real.close(); }
  };
})()"""
# Between two turns of the browser's loop, so that what the page does later is done too.
_PUSH = """async (states) => {
  for (const [place, state] of states.entries()) {
    fed.page.onmessage({ data: state });
    if (place % 10 === 9) await new Promise((done) => setTimeout(done));
  }
}"""


def prepare(tab: Tab) -> None:
    """To be called before the page is opened."""
    tab.page.add_init_script(_SCRIPT)


def hold(tab: Tab) -> dict[str, Any]:
    """Keep back what the server says from now on; its last state, which the page has shown."""
    tab.until("fed.latest", what="a state")
    state: dict[str, Any] = json.loads(tab.page.evaluate("(fed.held = true, fed.latest)"))
    return state


def push(tab: Tab, states: Sequence[dict[str, Any]]) -> None:
    """Give the page these states, one after another, as if the server had sent them."""
    tab.page.evaluate(_PUSH, [json.dumps(state) for state in states])
