"""Addresses of ClickHouse: what is understood, what is refused and how, and where the password comes from."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict

from mitmeter.fleet.address import Address, address, is_address


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("clickhouse://h", {"host": "h", "port": 8123, "database": "mitmeter"}, id="least"),
        pytest.param(
            "clickhouse://a%40b@h:8443/db",
            {"user": "a@b", "database": "db", "secure": True},
            id="tls port",
        ),
        pytest.param("https://u@h/db", {"port": 8443, "secure": True}, id="https"),
        pytest.param("http://u@h:8443/db?secure=0", {"secure": False}, id="no tls, as told"),
        pytest.param("clickhouses://h?verify=no&ca_cert=/ca", {"verify": False, "ca_cert": "/ca"}, id="certificates"),
        pytest.param("clickhouse://h?cluster=c&replicated=1", {"cluster": "c", "replicated": True}, id="cluster"),
        pytest.param("clickhouse://h?row_days=400&body_days=30", {"row_days": 400, "body_days": 30}, id="days"),
        pytest.param("clickhouse://[::1]:9/db", {"host": "::1", "port": 9}, id="v6"),
        pytest.param("chdb:///var/x?database=d", {"path": "/var/x", "database": "d"}, id="inside"),
    ],
)
def test_addresses(text: str, parts: dict[str, Any]) -> None:
    assert is_address(text)
    assert asdict(address(text)) | parts == asdict(address(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("mysql://h", "accepted are clickhouse://", id="scheme"),
        pytest.param("clickhouse://u:hunter2@h", "a password does not belong in a URL", id="password"),
        pytest.param("clickhouse://u:@h", "a password does not belong in a URL", id="empty password"),
        pytest.param("clickhouse://h?pasword=hunter2", "?pasword= is not known", id="parameter"),
        pytest.param("clickhouse://h:99999/", "port", id="port"),
        pytest.param("clickhouse://h?secure=maybe", "accepted are 1 and 0", id="flag"),
        pytest.param("clickhouse://h?row_days=-1", "a number of days", id="days"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        address(text)
    assert words in str(refused.value) and "hunter2" not in str(refused.value)


def test_where_the_password_is(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("from one\n")
    (tmp_path / "two").write_text("from two")
    named = {"MITMETER_CLICKHOUSE_PASSWORD_FILE": str(tmp_path / "two"), "MITMETER_CLICKHOUSE_PASSWORD": "plain"}
    assert address(f"clickhouse://h?password_file={tmp_path}/one").password(named) == "from one"
    assert Address().password(named) == "from two"
    assert Address().password({"MITMETER_CLICKHOUSE_PASSWORD": "plain"}) == "plain"
    assert Address().password({}) == ""
    with pytest.raises(FileNotFoundError):
        Address(password_file=str(tmp_path / "none")).password({})


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address(f"clickhouse://{text}")
    except ValueError as error:
        assert str(error)
