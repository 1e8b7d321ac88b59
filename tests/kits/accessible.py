"""Whether anybody is kept out of a page: by what axe-core finds, by its width, or for want of a mouse."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from kits.browser import SCHEMES, WIDTHS

if TYPE_CHECKING:
    from kits.browser import Tab

LOOKS = list(itertools.product(WIDTHS, SCHEMES))
"""Every width with every colour scheme."""
# All that the keyboard should reach, each by a number of its own.
REACHABLE = """() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]
  .filter((each) => each.checkVisibility()).map((each, place) => { each.dataset.reach = place; return place; })"""
FOCUSED = """() => {
  const here = document.activeElement, style = getComputedStyle(here);
  return [here.dataset.reach ?? null, here.matches(":focus-visible") && (style.outlineStyle !== "none" || style.boxShadow !== "none")];
}"""


def too_wide(this: Tab) -> list[str]:
    """What is cut off at the right, or makes the whole page scroll sideways."""
    found: list[str] = this.page.evaluate(
        "() => document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll('body *')]"
        ".filter((each) => each.getBoundingClientRect().right > innerWidth + 1).map((each) => each.outerHTML.slice(0, 120))"
    )
    return found


def reached(this: Tab, presses: int) -> tuple[set[str], set[str]]:
    """Numbers of the elements that the Tab key reaches, from wherever it begins, and of those whose focus is not seen."""
    found, unseen = set(), set()
    for _ in range(presses):
        this.page.keyboard.press("Tab")
        number, is_seen = this.page.evaluate(FOCUSED)
        if number is not None:
            found.add(number)
            if not is_seen:
                unseen.add(number)
    return found, unseen


def check(this: Tab, what: str) -> None:
    """Fail if somebody is; `what` names the page's state."""
    assert this.violations() == [], what
    assert too_wide(this) == [], what
    wanted = {str(each) for each in this.page.evaluate(REACHABLE)}
    found, unseen = reached(this, len(wanted) + 3)  # once around, past the end of the page
    assert found == wanted, f"{what}: the keyboard"
    assert unseen == set(), f"{what}: focus that is not seen"
