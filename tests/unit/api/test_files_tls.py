"""The connection for a file goes to an address, but the certificate has to be for the name."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from linq_mcp.api import files
from linq_mcp.api.files import FileFetcher
from linq_mcp.errors import FileError, FileProblem

NAME = "files.example.com"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"for {self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        pass


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for `NAME` with its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def port(certificate: Path) -> Iterator[int]:
    """The port of a server with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join(10)


@pytest.mark.parametrize(("host", "is_trusted"), [(NAME, True), ("other.example.com", False)])
async def test_the_certificate_has_to_be_for_the_name(
    host: str, is_trusted: bool, port: int, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    async def lookup(_: str, __: int) -> Sequence[str]:
        return ["127.0.0.1"]

    # Tests may use no address but this one.
    monkeypatch.setattr(files, "is_public", lambda address: address == "127.0.0.1")
    fetcher = FileFetcher("https://api.example.com", lookup=lookup, tls=ssl.create_default_context(cafile=certificate))

    async def fetch() -> bytes:
        deadline = anyio.current_time() + 10
        return bytes((await fetcher.fetch(f"https://{host}:{port}/1", needed=lambda _: 99, deadline=deadline)).data)

    if is_trusted:
        assert await fetch() == f"for {NAME}:{port}".encode()
    else:
        with pytest.raises(FileError) as failed:
            await fetch()
        assert failed.value.problem is FileProblem.UNAVAILABLE
