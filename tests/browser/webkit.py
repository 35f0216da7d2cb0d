"""WebKit, the iPhone's engine, driven over HTTP by WebDriver (https://www.w3.org/TR/webdriver1/).

Debian's `webkit2gtk-driver` brings the driver and MiniBrowser; `xvfb` the screen that MiniBrowser needs. Only
the few commands that the tests use are here, so that they need no package of their own.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tests.connected import PATIENCE, until

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name that the standard gives to an element's reference


def programs() -> dict[str, str | None]:
    """Return where the three programs are, None for one that is missing."""
    browsers = sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))
    return {
        "Xvfb": shutil.which("Xvfb"),
        "WebKitWebDriver": shutil.which("WebKitWebDriver"),
        "MiniBrowser": next(map(str, browsers), None),
    }


_SHOWN = """
    const [css, words] = arguments
    return [...document.querySelectorAll(css)].some(one => one.checkVisibility()
        && (words === null || one.textContent.replace(/\\s+/g, ' ').trim() === words))"""


class Refused(Exception):
    """The driver could not do it, or not yet."""


class WebKit:
    """One browser of the size of a phone."""

    def __init__(self, driver: str, browser: str) -> None:
        options = {"binary": browser, "args": ["--automation", "--full-screen"]}
        wants = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy has nothing to do with loopback
        # The driver says nothing when it begins to listen.
        patience = Retry(PATIENCE, backoff_factor=0.05, backoff_max=1, allowed_methods=None)
        self._http.mount("http://", HTTPAdapter(max_retries=patience))
        self._address = driver
        session = self._send("POST", "/session", {"capabilities": wants})["sessionId"]
        self._address = f"{driver}/session/{session}"

    def open(self, address: str) -> None:
        self._send("POST", "/url", {"url": address})

    def back(self) -> None:
        self._send("POST", "/back", {})

    def wait_for(self, css: str, words: str | None = None) -> None:
        """Wait until an element that fits is shown, with these words and no others if some are given."""
        until(lambda: self._shown(css, words))

    def tap(self, css: str) -> None:
        """Tap the first element that fits, as soon as it takes a tap."""
        self._once_it_can(css, "click", {})

    def type(self, css: str, text: str) -> None:
        self._once_it_can(css, "value", {"text": text})

    def _once_it_can(self, css: str, act: str, body: object) -> None:
        def done() -> bool:
            with suppress(Refused):
                found = self._send("POST", "/element", {"using": "css selector", "value": css})
                self._send("POST", f"/element/{found[_ELEMENT]}/{act}", body)
                return True
            return False

        until(done)

    def _shown(self, css: str, words: str | None) -> bool:
        with suppress(Refused):  # while one page goes and the next one comes, there is no answer
            return bool(self.run(_SHOWN, css, words))
        return False

    def run(self, script: str, *arguments: object) -> Any:
        """Return what a piece of JavaScript returns."""
        return self._send("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def end(self) -> None:
        self._send("DELETE", "")
        self._http.close()

    def _send(self, method: str, path: str, body: object = None) -> Any:
        answer = self._http.request(method, self._address + path, json=body, timeout=2 * PATIENCE)
        value = answer.json()["value"]
        if not answer.ok:
            raise Refused(f"{value['error']}: {value['message']}")
        return value


@contextmanager
def driver(port: int, xvfb: str, webdriver: str) -> Iterator[str]:
    """Run a screen of a phone's size and the driver on it; the address of the driver is given."""
    screen = subprocess.Popen(
        [xvfb, "-displayfd", "1", "-screen", "0", "390x844x24", "-nolisten", "tcp"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert screen.stdout
    display = ":" + screen.stdout.readline().strip()
    environment = {**os.environ, "DISPLAY": display, "LIBGL_ALWAYS_SOFTWARE": "1", "NO_AT_BRIDGE": "1"}
    started = subprocess.Popen(
        [webdriver, f"--port={port}", "--host=127.0.0.1"], env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        for process in (started, screen):
            process.terminate()
            process.wait(timeout=PATIENCE)
        screen.stdout.close()
