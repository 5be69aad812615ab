"""What README.md says is so: its commands, its options, its example of a row, its links."""

import json
import re
import shlex
from pathlib import Path

import click
import pytest

from mitmeter.cli import main
from mitmeter.exchange import Exchange
from mitmeter.options import OPTIONS
from mitmeter.store.rows import Row
from mitmeter.store.surface import to_json

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SHELL = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if line.strip()]
OURS = [line for line in SHELL if shlex.split(line, comments=True)[:1] == ["mitmeter"]]


@pytest.mark.parametrize("line", OURS)
def test_the_command_line_takes_the_commands(line: str) -> None:
    _, *words = shlex.split(line, comments=True)
    with click.Context(main) as context:
        rest = main.make_parser(context).parse_args(args=words)[1]
        name, command, arguments = main.resolve_command(context, rest)
        assert name is not None
        assert command is not None
        if name not in ("run", "web"):
            real = [argument for argument in arguments if not argument.endswith((".mitm", ".har"))]
            files = [str(ROOT / "README.md")] * (len(arguments) - len(real))
            command.make_context(name, [*real, *files], parent=context, resilient_parsing=False)


def test_no_proxy_takes_a_port_that_is_taken() -> None:
    """By mitmweb, by `serve`, or by an engine of the examples."""
    served = {option.name: option.default for option in main.commands["serve"].params}["port"]
    taken = {8080, 8081, served, 8000, 11434}
    assert not taken & {int(port) for port in re.findall(r"--mode reverse:\S+@(?:\S+:)?(\d+)", README)}


@pytest.mark.parametrize("path", sorted({word for line in SHELL for word in re.findall(r"(?:\./)?scripts/\w+", line)}))
def test_the_scripts_are_there(path: str) -> None:
    script = ROOT / path
    assert script.stat().st_mode & 0o111, "executable"


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_what_it_links_to_is_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_the_options_are_told(option: object) -> None:
    assert f"| `{option.name}` |" in README  # type: ignore[attr-defined]


def test_no_other_option_is_told() -> None:
    assert set(re.findall(r"`(meter_\w+)", README)) <= {option.name for option in OPTIONS}


def test_the_row_has_the_fields_of_a_row() -> None:
    (example,) = (json.loads(text) for kind, text in BLOCKS if kind == "json")
    real = to_json(Row(1, Exchange(flow_id="f", started=0.0, method="POST", host="h", path="/p"), False))
    assert list(example) == list(real)
    for name in ("usage", "timing", "sizes", "client"):
        assert list(example[name]) == list(real[name])
