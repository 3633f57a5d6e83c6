"""Models by name and hash: the order of sources, what is refused, and that finding a file never chooses it."""

from __future__ import annotations

import datetime
import hashlib
import http.server
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from models import store
from models.errors import FetchFailed, ModelMissing, UnknownModel, WrongHash
from models.manifest import Manifest, Source, load

GOOD, OTHER = b"the model", b"another file"
GOOD_HASH, OTHER_HASH = (hashlib.sha256(content).hexdigest() for content in (GOOD, OTHER))


def manifest_of(folder: Path, *sources: Source, name: str = "one") -> Manifest:
    entry = replace(load().entry("nanodet_g_416_int8"), name=name, sha256=(GOOD_HASH,), sources=sources)
    return Manifest(models=(entry,), folder=folder)


SHIPPED, ASSETS = Source("shipped", "files/m.onnx"), Source("assets", "models/m.onnx")


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_shipped_models_are_there_and_are_what_the_manifest_says() -> None:
    for name in ("nanodet_g_416_int8", "centerface_int8"):
        found = store.find(name)
        assert found.source == "shipped"
        assert found.sha256 == hashlib.sha256(found.path.read_bytes()).hexdigest()
        assert found.sha256 in found.entry.sha256


def test_every_model_has_a_card() -> None:
    manifest = load()
    for entry in manifest.models:
        text = (manifest.folder / entry.card).read_text(encoding="utf-8")
        assert "Trained on" in text
        assert "Bad at" in text
        assert "./callout bench detect" in text


def test_sources_are_tried_in_order(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, SHIPPED, ASSETS, Source("https", "https://nowhere.invalid/m", 9))
    assets, cache = tmp_path / "assets", tmp_path / "cache"
    put(cache / "one.onnx", GOOD)
    assert store.find("one", assets, cache=cache, manifest=manifest).source == "https"
    put(assets / "models/m.onnx", GOOD)
    assert store.find("one", assets, cache=cache, manifest=manifest).source == "assets"
    put(tmp_path / "files/m.onnx", GOOD)
    assert store.find("one", assets, cache=cache, manifest=manifest).source == "shipped"


def test_a_wrong_hash_is_refused_with_both_hashes_and_the_file(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, SHIPPED, ASSETS)
    wrong = put(tmp_path / "files/m.onnx", OTHER)
    put(tmp_path / "assets/models/m.onnx", GOOD)  # a good one further on does not excuse it
    with pytest.raises(WrongHash) as caught:
        store.find("one", tmp_path / "assets", manifest=manifest)
    for part in (str(wrong), OTHER_HASH, GOOD_HASH, "'one'"):
        assert part in str(caught.value)
    assert wrong.read_bytes() == OTHER
    status = store.verify("one", manifest=manifest)
    assert (status.state, status.sha256, status.path) == ("wrong_hash", OTHER_HASH, wrong)


def test_missing_says_where_it_looked_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing) as caught:
        store.find("yolox_nano_416", tmp_path, cache=tmp_path / "cache")
    message = str(caught.value)
    assert str(tmp_path / "models/yolox_nano_416.onnx") in message
    assert str(tmp_path / "cache/yolox_nano_416.onnx") in message
    assert "./callout models fetch yolox_nano_416" in message
    assert "CALLOUT_ASSETS" in store.verify("yolox_nano_416", cache=None).problem


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownModel, match="nanodet_g_416_int8, centerface_int8, yolox_nano_416"):
        store.find("nanodet")


def test_a_file_in_the_assets_folder_is_never_chosen_for_being_there(tmp_path: Path) -> None:
    put(tmp_path / "models/nanodet_g_416_int8.onnx", OTHER)
    put(tmp_path / "models/files/nanodet_g_416_int8.onnx", OTHER)
    assert store.find("nanodet_g_416_int8", tmp_path).source == "shipped"


def test_list_tells_the_state_of_each_model(tmp_path: Path) -> None:
    states = {status.name: status.state for status in store.list_models(tmp_path, cache=tmp_path)}
    assert states == {"nanodet_g_416_int8": "ready", "centerface_int8": "ready", "yolox_nano_416": "missing"}


def test_read_hands_on_the_very_bytes_that_it_hashed(tmp_path: Path) -> None:
    entry = manifest_of(tmp_path, SHIPPED).models[0]
    assert store.read(entry, put(tmp_path / "a", GOOD)) == (GOOD, GOOD_HASH)
    with pytest.raises(WrongHash):
        store.read(entry, put(tmp_path / "b", OTHER))
    with pytest.raises(ModelMissing, match="No such file"):
        store.read(entry, tmp_path / "c")


def test_fetch_brings_the_file_and_then_finds_it(tmp_path: Path) -> None:
    with https_server(tmp_path, {"/m": GOOD}) as (base, ca_file):
        manifest = manifest_of(tmp_path, ASSETS, Source("https", f"{base}/m", len(GOOD)))
        seen: list[tuple[int, int]] = []
        found = store.fetch(
            "one", tmp_path / "cache", manifest=manifest, ca_file=ca_file, progress=lambda n, of: seen.append((n, of))
        )
    assert found.path.read_bytes() == GOOD
    assert seen[-1] == (len(GOOD), len(GOOD))
    again = store.fetch("one", tmp_path / "cache", manifest=manifest)  # the server is gone: it was not asked
    assert (again.path, again.source) == (found.path, "https")


@pytest.mark.parametrize(
    ("path", "size", "says"),
    [
        ("/wrong", 100, OTHER_HASH),
        ("/absent", 100, "404"),
        ("/m", 3, "longer than the 3 bytes"),
        ("/to-http", 100, "redirects to http, not https"),
    ],
)
def test_a_failed_fetch_says_why_and_leaves_nothing(tmp_path: Path, path: str, size: int, says: str) -> None:
    with https_server(tmp_path, {"/m": GOOD, "/wrong": OTHER}) as (base, ca_file):
        manifest = manifest_of(tmp_path, Source("https", base + path, size))
        with pytest.raises(FetchFailed) as caught:
            store.fetch("one", tmp_path / "cache", manifest=manifest, ca_file=ca_file)
    assert says in str(caught.value)
    assert base + path in str(caught.value)
    assert "by hand" in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_server_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with https_server(tmp_path, {"/m": GOOD}) as (base, _):
        manifest = manifest_of(tmp_path, Source("https", f"{base}/m", len(GOOD)))
        with pytest.raises(FetchFailed, match="certificate"):
            store.fetch("one", tmp_path / "cache", manifest=manifest)


def test_the_second_address_is_tried_when_the_first_fails(tmp_path: Path) -> None:
    with https_server(tmp_path, {"/m": GOOD}) as (base, ca_file):
        manifest = manifest_of(tmp_path, Source("https", f"{base}/absent", 99), Source("https", f"{base}/m", 99))
        assert store.fetch("one", tmp_path / "cache", manifest=manifest, ca_file=ca_file).sha256 == GOOD_HASH


def test_what_ships_is_not_fetched(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="git checkout -- models/files"):
        store.fetch("one", tmp_path / "cache", manifest=manifest_of(tmp_path, SHIPPED))


@contextmanager
def https_server(folder: Path, files: dict[str, bytes]) -> Iterator[tuple[str, Path]]:
    """A real HTTPS server on a free port: (its address, the file of the authority that vouches for it)."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/to-http":
                self.send_response(302)
                self.send_header("Location", "http://127.0.0.1:1/m")
                self.end_headers()
            elif self.path in files:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(files[self.path])
            else:
                self.send_error(404)

        def finish(self) -> None:
            try:
                super().finish()
            except OSError:
                pass  # the client hung up
            finally:
                self.rfile.close()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = False  # so that closing the server waits for them

        def handle_error(self, *_: Any) -> None:
            pass  # a client that hangs up on a certificate it does not trust is what one test is about

    certificate, key = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}", certificate
        finally:
            server.shutdown()
            thread.join(10)


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "tls.crt", folder / "tls.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private
