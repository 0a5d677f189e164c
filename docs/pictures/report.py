"""``python docs/pictures/report.py``: the README's picture of a report, as Chromium shows it."""

from __future__ import annotations

import base64
import io
import shutil
import tempfile
from pathlib import Path

import paddle
import torch
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from parity import check_parity
from stdc_port import paddle_nets, torch_nets
from stdc_port.training.augmentation import IMAGENET
from stdc_port.training.scenes.street import draw_scene

WIDTH, PICTURE = 1100, Path(__file__).with_name("report.png")


def main(page: Path) -> None:
    """Check a port with two mistakes, and photograph the report down to its chart."""
    torch.manual_seed(0)
    network, port = torch_nets.build("stdc1").eval(), paddle_nets.build("stdc1")
    port.features[2].skip = paddle.nn.AvgPool2D(3, stride=2, padding=1)
    port.features[4].conv_list[1].bn._epsilon = 1e-6  # noqa: SLF001 - the mistake
    port.eval()
    street = draw_scene(256, 128, seed=4, index=1).image
    result = check_parity(network, port, IMAGENET.apply(street)[None])
    result.save_html(page, "STDC1 in torch, and a port with two mistakes")


def photograph(page: Path) -> bytes:
    """Give a page's picture, from its top to the end of the chart."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", f"--window-size={WIDTH},900"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.get(page.as_uri())
        end = driver.execute_script("return document.getElementById('layers').offsetTop")
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": end, "scale": 1}
        asked = {"format": "png", "captureBeyondViewport": True, "clip": clip}
        return base64.b64decode(driver.execute_cdp_cmd("Page.captureScreenshot", asked)["data"])
    finally:
        driver.quit()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder) / "report.html")
        picture = Image.open(io.BytesIO(photograph(Path(folder) / "report.html")))
        picture.convert("RGB").quantize(256).save(PICTURE, optimize=True)
