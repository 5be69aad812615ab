"""The tables' statements in every form, a column for each field of a row, and TLS to the server."""

import datetime
import ipaddress
from pathlib import Path

import pytest
from clickhouse import Server
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from traffic import fill

from mitmeter.fleet import schema
from mitmeter.fleet.address import address
from mitmeter.fleet.connection import Connection, FleetError
from mitmeter.fleet.shipper import Shipper
from mitmeter.store.rows import COLUMNS

FORMS = ["", "?replicated=1", "?cluster=c", "?cluster=c&replicated=1&row_days=400&body_days=30"]


def test_each_field_of_a_row_has_a_column() -> None:
    types = schema.column_types()
    assert tuple(types) == COLUMNS
    assert types["input_tokens"] == "Nullable(Int64)" and types["started"] == "Float64", types
    assert types["model"] == "LowCardinality(Nullable(String))" and types["stream"] == "Bool", types


@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str) -> None:
    told = "\n".join(schema.statements(address(f"clickhouse://h/db{form}")))
    assert ("ON CLUSTER `c`" in told) == ("Distributed(`c`" in told) == ("cluster" in form)
    assert ("ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/" in told) == ("replicated" in form)
    assert ("toIntervalDay(400)" in told and "toIntervalDay(30)" in told) == ("row_days" in form)


@pytest.mark.clickhouse
@pytest.mark.parametrize("form", FORMS)
def test_the_engine_understands_every_statement(form: str, inside: str) -> None:
    connection = Connection(address(inside))
    for statement in (*schema.statements(address(f"clickhouse://h/db{form}")), schema.versioned(address("http://h"))):
        connection.query("SELECT formatQuery({text:String})", {"text": statement})


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "clickhouse")])
    now = datetime.datetime.now(datetime.UTC)
    named = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    made = made.add_extension(named, critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + key.private_bytes(*form)
    )
    return path


@pytest.mark.clickhouse
def test_the_certificate_is_checked(tmp_path: Path, certificate: Path) -> None:
    fill(tmp_path / "meter", 5)
    server = Server(tmp_path / "server", certificate).start()
    try:
        url = f"{server.url()}?secure=1"
        shipper = Shipper(tmp_path / "meter", address(url))
        with pytest.raises(FleetError, match=r"(?i)certificate.verify.failed"):
            shipper.step()
        shipper.close()
        shipper = Shipper(tmp_path / "meter", address(f"{url}&ca_cert={certificate}"))
        assert shipper.step() == 5
        shipper.close()
    finally:
        server.stop()
