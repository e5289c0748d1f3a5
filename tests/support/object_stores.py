"""Object stores by their own protocols, on this machine: S3 by moto, Google's by an emulator of it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from unittest.mock import patch
from urllib.request import Request, urlopen

SECRET = "a-secret-that-nobody-may-see"
KEY = "AKIAKEYTHATNOBODYMAYSEE"
_OF_CLOUDS = ("AWS_", "FSSPEC_", "GOOGLE_", "STORAGE_EMULATOR_")

# Else gcsfs asks over gRPC, which the emulator does not speak, of what kind a bucket is. It is read at its import.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """These variables, and no other of clouds, for stores that are opened meanwhile."""
    import fsspec
    from fsspec.config import conf, set_conf_env

    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OF_CLOUDS)}
    before = {name: dict(given) for name, given in conf.items()}
    with patch.dict(os.environ, {**kept, **values}, clear=True):
        _forget(fsspec)
        conf.clear()
        set_conf_env(conf)
        try:
            yield
        finally:
            _forget(fsspec)
            conf.clear()
            conf.update(before)


def _forget(fsspec: object) -> None:
    """Stores that were opened keep their keys, and what they have listed."""
    for protocol in ("s3", "gs"):
        try:
            kind = fsspec.get_filesystem_class(protocol)  # type: ignore[attr-defined]
        except ImportError:
            continue
        kind.clear_instance_cache()


class S3:
    """An S3 that runs.

    Attributes:
        url: Its endpoint.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def variables(self, **more: str) -> dict[str, str]:
        """The environment of somebody with keys to it."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": self.url,
            **self.nobody(),
            **more,
        }

    def nobody(self) -> dict[str, str]:
        """The environment of somebody without any, who does not ask the machine's cloud for some."""
        return {"AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": "us-east-1", "AWS_CONFIG_FILE": os.devnull}

    def refuse(self, *, after: int) -> None:
        """Refuse keys that it does not know, after so many requests."""
        plain = {"Content-Type": "text/plain"}
        request = Request(f"{self.url}/moto-api/reset-auth", str(after).encode(), plain, method="POST")
        with urlopen(request) as answer:
            answer.read()


@contextmanager
def s3() -> Iterator[S3]:
    """Run one, with nothing in it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3(f"http://{host}:{port}")
    finally:
        server.stop()


@contextmanager
def google(bucket: str) -> Iterator[dict[str, str]]:
    """Run Google's, with an empty bucket; the environment of who uses it."""
    from gcp_storage_emulator.server import create_server

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = create_server("127.0.0.1", port, in_memory=True, default_bucket=bucket)
    server.start()
    # It prints on standard error when somebody is gone who was about to ask something.
    quiet = patch("socketserver.BaseServer.handle_error")
    quiet.start()
    try:
        yield {
            "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
            "FSSPEC_GS_TOKEN": "anon",
        }
    finally:
        server.stop()
        quiet.stop()
