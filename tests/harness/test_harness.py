"""The harness itself: a bare mitmdump gives the client the bytes of a direct run."""

from pathlib import Path
from urllib.parse import urlsplit

from harness import End, Mitm, fetch
from provider import Provider

ASK = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": True}


def test_bare_mitmdump_relays_and_stops(tmp_path: Path) -> None:
    with Provider() as upstream, Mitm(upstream.url, tmp_path, script=None) as proxy:
        direct = fetch(upstream.port, "/v1/messages", ASK)
        through = fetch(proxy.port, "/v1/messages", ASK)
        assert through.end is direct.end is End.COMPLETE
        assert through.body == direct.body
        assert through.headers == direct.headers
        assert proxy.stop() == 0


def test_bare_mitmweb_gives_its_address(tmp_path: Path) -> None:
    with Provider() as upstream, Mitm(upstream.url, tmp_path, tool="mitmweb", script=None) as proxy:
        address = urlsplit(proxy.url)
        assert "token=" in address.query
        assert fetch(address.port or 0, f"/?{address.query}", method="GET").status == 200
        assert fetch(proxy.port, "/v1/models", method="GET").status == 200
        assert proxy.interrupt() == 0
