"""Texts that would act if a page took them for more than text, and states that are full of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kits.browser import Tab

MARKUP = [
    "<img src=x onerror=window.owned=1>",
    '"><script>window.owned=1</script>',
    "' onmouseover='window.owned=1",
    "</li></ul><h1>gone</h1>",
    "javascript:window.owned=1//{{7*7}}${7*7}&lt;b&gt;",
]
_ELEMENTS = """[...document.querySelectorAll("body *")].map((each) => each.tagName)
  .filter((name) => /^(IMG|SCRIPT|IFRAME|OBJECT|B|H1|STYLE|LINK|SVG)$/i.test(name)).join()"""
_ACTS = "window.owned !== undefined || Boolean(document.querySelector('[onmouseover], [onerror], main img, main script'))"


def hostile(value: Any, text: str) -> Any:
    """A state in which every text is this one."""
    if isinstance(value, dict):
        return {name: hostile(each, text) for name, each in value.items()}
    if isinstance(value, list):
        return [hostile(each, text) for each in value]
    return text if isinstance(value, str) else value


def elements(tab: Tab) -> str:
    """Elements of the kinds that no state makes: a stranger's would be one more."""
    found: str = tab.page.evaluate(_ELEMENTS)
    return found


def acts(tab: Tab) -> bool:
    """Whether a text has become an element, an attribute or a script."""
    found: bool = tab.page.evaluate(_ACTS)
    return found
