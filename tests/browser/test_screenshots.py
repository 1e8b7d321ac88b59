"""The README's pictures of both pages, made here: SPLITDNN_SCREENSHOTS=FOLDER keeps them, after some minutes in which the cloud was away once.

Without it they are made at once, looked at and thrown away.
"""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kits import seen
from kits.browser import tab
from kits.page_cloud import secured_cloud
from kits.page_edge import page_edge
from kits.scene import belt_camera
from PIL import Image

if TYPE_CHECKING:
    from kits.browser import Tab
    from playwright.sync_api import Browser

KEPT = os.environ.get("SPLITDNN_SCREENSHOTS")
WAIT_S, AWAY_S = (120, 25) if KEPT else (1, 0)
MOST_BYTES = 120_000
EDGES = ("gate", "yard", "hall")


def take(this: Tab, folder: Path, name: str) -> None:
    """What is on the screen, as a WebP that is small enough for a page of text."""
    picture = Image.open(io.BytesIO(this.page.screenshot())).convert("RGB")
    colours = picture.getcolors(1 << 20)
    assert colours is None or len(colours) > 50, f"{name} shows nothing"
    file = folder / f"{name}.webp"
    picture.save(file, "WEBP", quality=88, method=6)
    assert file.stat().st_size <= MOST_BYTES


@pytest.mark.timeout(900)
def test_the_readmes_pictures_of_the_pages(browser: Browser, colours: str, tmp_path: Path) -> None:
    folder = Path(KEPT).resolve() if KEPT else tmp_path
    folder.mkdir(exist_ok=True)
    with (
        belt_camera() as belt,
        belt_camera() as dock,
        belt_camera() as ramp,
        secured_cloud(tmp_path, colours, EDGES) as cloud,
        tab(browser, height=1000) as page,
        tab(browser, height=780, width=360, scheme="dark", device_scale_factor=2) as phone,
        tab(browser, height=1000, scheme="dark") as office,
    ):
        file = tmp_path / "cameras.toml"
        urls = {"belt": belt.url, "dock": dock.url, "ramp": ramp.url}
        file.write_text(
            "".join(f'[[camera]]\nname = "{name}"\nsource = "{url}"\n' for name, url in urls.items())
        )
        others = {
            name: f"synthetic:fps={fps},width=160,height=120" for name, fps in (("yard", 7), ("hall", 3))
        }
        with (
            page_edge(cloud.system, cameras=str(file), **cloud.shown("gate")) as edge,
            page_edge(cloud.system, source=others["yard"], **cloud.shown("yard")),
            page_edge(cloud.system, source=others["hall"], **cloud.shown("hall")),
        ):
            page.open(edge.url)
            phone.open(edge.url)
            time.sleep(WAIT_S / 3)
            if AWAY_S:
                cloud.system.kill_cloud()
                time.sleep(AWAY_S)
                cloud.system.start_cloud()
            time.sleep(2 * WAIT_S / 3)
            ramp.switch_off()
            page.until(
                "document.querySelector('[data-camera=ramp]').dataset.status !== 'live'",
                what="a camera that is away",
            )
            # Cameras and charts together; a phone is scrolled to a camera.
            page.page.locator("#now-title").evaluate("(each) => scrollTo(0, each.offsetTop - 8)")
            phone.page.locator("[data-camera=belt]").evaluate("(each) => scrollTo(0, each.offsetTop - 8)")
            for this, name in ((page, "edge-page"), (phone, "edge-page-phone")):
                while not (
                    card := seen.frames(this, 1, "belt", after=seen.look(this, "belt").frame or -1)[0]
                ).boxes:
                    assert card.status == "live"
                take(this, folder, name)
                assert card.label.startswith("Picture of camera belt")
            office.open(f"{cloud.url}/login")
            office.page.get_by_label("Token").fill(cloud.watcher)
            with office.page.expect_navigation():
                office.page.keyboard.press("Enter")
            office.open(f"{cloud.url}/page")
            office.until("document.querySelector('#networks tr')", what="a state")
            office.page.wait_for_timeout(1500)
            take(office, folder, "cloud-page")
