"""In a real browser, filled with hostile text: our script runs, theirs does not, nobody calls out."""

from __future__ import annotations

import importlib.util
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import html5lib
import pytest

from crossover.report.verdict_page import verdict_page

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


def _beside(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Proxy(socketserver.ThreadingTCPServer):
    """Takes every request of the browser, answers none, and remembers the first line of each."""

    daemon_threads = True

    def __init__(self) -> None:
        self.lines: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def asked(self) -> list[str]:
        """Requests for the host that every payload calls."""
        return [line for line in self.lines if "evil.example" in line]


class _Handler(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        self.server.lines.append(self.rfile.readline(2_000).decode("latin-1"))
        self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def opened(page: Path, proxy: Proxy, profile: Path) -> tuple[str, list[str]]:
    """(document after scripts, console lines) of a page opened from disk."""
    assert CHROMIUM is not None
    quiet = ("gpu", "quic", "background-networking", "component-update", "sync")
    flags = ["--headless=new", "--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in quiet)]
    flags += ["--enable-logging=stderr", "--virtual-time-budget=3000", "--dump-dom"]
    flags += [f"--user-data-dir={profile}", "--proxy-bypass-list=<-loopback>"]
    flags += [f"--proxy-server=127.0.0.1:{proxy.server_address[1]}", page.as_uri()]
    done = subprocess.run([CHROMIUM, *flags], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """The example with the sixty payloads dealt over its texts."""
    payloads = _beside("hostile_texts").PAYLOADS
    dealt = 0

    def poisoned(value: object) -> object:
        nonlocal dealt
        if isinstance(value, str):
            dealt += 1
            return payloads[dealt % len(payloads)]
        if isinstance(value, list):
            return [poisoned(entry) for entry in value]
        return {k: poisoned(v) for k, v in value.items()} if isinstance(value, dict) else value

    verdict = {**_beside("example_verdict").crossover_verdict(), "would_change": list(payloads)[:40]}
    page = tmp_path / "report.html"
    page.write_text(
        verdict_page({**poisoned(verdict), "flags": list(payloads)[-40:]}).html(), encoding="utf-8"
    )  # type: ignore[dict-item]
    return page


def test_a_hostile_report_renders_quietly_and_asks_for_nothing(
    hostile: Path, proxy: Proxy, tmp_path: Path
) -> None:
    document, console = opened(hostile, proxy, tmp_path / "profile")
    assert console == []
    assert proxy.asked() == []
    assert "PWNED" not in document[document.index("<title>") : document.index("</title>")]
    assert document.count('<button type="button">') > 20
    assert document.count("<svg") == 5
    root = html5lib.parse(document, namespaceHTMLElements=False)
    targets = [value for e in root.iter() for name, value in e.attrib.items() if name in ("src", "href")]
    assert len(targets) > 5 and all(target.startswith("#") for target in targets)


def test_the_test_would_see_a_request_a_violation_and_a_script(proxy: Proxy, tmp_path: Path) -> None:
    """The same eyes on a page that does all three."""
    page = tmp_path / "bad.html"
    page.write_text(
        "<meta http-equiv='Content-Security-Policy' content=\"script-src 'none'\"><title>t</title>"
        "<img src='http://evil.example/pixel.png'><script>document.title='PWNED'</script>",
        encoding="utf-8",
    )
    document, console = opened(page, proxy, tmp_path / "profile")
    assert any("Content Security Policy" in line for line in console)
    assert len(proxy.asked()) == 1
    assert "<title>t</title>" in document


def test_a_page_whose_script_was_changed_does_not_run_it(hostile: Path, proxy: Proxy, tmp_path: Path) -> None:
    html = hostile.read_text(encoding="utf-8")
    hostile.write_text(
        html.replace('"use strict";', '"use strict"; document.title = "PWNED";'), encoding="utf-8"
    )
    document, console = opened(hostile, proxy, tmp_path / "profile")
    assert any("Content Security Policy" in line for line in console)
    assert '<button type="button">' not in document
    assert "<title>PWNED" not in document
