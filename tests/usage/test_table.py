"""The README's table of providers and its example are those of the registry."""

import importlib
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mitmeter.usage import providers, registry

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"


def test_the_readmes_table_is_true() -> None:
    script: dict[str, Callable[[], str]] = runpy.run_path(str(ROOT / "scripts" / "providers_table.py"))
    assert script["written"]() == script["table"](), "run scripts/providers --write"


def example() -> tuple[str, str]:
    """The file that the README shows: its path and its text."""
    found = re.search(r"This is all of `(\S+)`:\n\n```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1], found[2]


def test_the_readmes_example_is_a_provider_file() -> None:
    path, text = example()
    assert (ROOT / path).read_text(encoding="utf-8") == text


def test_a_file_is_all_that_a_provider_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example under another name and host, put beside the others, is found and reads what is sent there."""
    _, text = example()
    (tmp_path / "newcomer.py").write_text(text.replace("cerebras", "newcomer"), encoding="utf-8")
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(tmp_path)])
    cached: list[Any] = [
        *(registry.discover, registry._anywhere, registry._at, registry._headers),
        *(registry._hosts, registry.owner, registry.find),
    ]
    for function in cached:
        function.cache_clear()
    try:
        match = registry.find("POST", "api.newcomer.ai", "/v1/chat/completions")
        assert match is not None and (match.provider, match.dialect.api) == ("newcomer", "chat")
        assert any(clock.at == "time_info" for clock in match.dialect.clocks)
    finally:
        monkeypatch.undo()
        sys.modules.pop("mitmeter.usage.providers.newcomer", None)
        importlib.invalidate_caches()
        for function in cached:
            function.cache_clear()
