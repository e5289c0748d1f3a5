"""TLS with a certificate authority of the tests' own, which vouches for this machine; its key is no secret."""

from __future__ import annotations

import ssl
from pathlib import Path
from tempfile import TemporaryDirectory

_KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQti3cl8Mxq43hGU0
UTqENHmWdAiUcFNxJ6Zt/DderZahRANCAAQLntqe8/dgzPA/jK0cQSViXHOmEhHQ
D8j/F8yIOE/rA/wOCgV4PJ/itpyldwFJhbMJU4U7Z3HXNk/NzFzWpNA/
-----END PRIVATE KEY-----
"""
_CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBmTCCAT6gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAue2p7z92DM8D+M
rRxBJWJcc6YSEdAPyP8XzIg4T+sD/A4KBXg8n+K2nKV3AUmFswlThTtncdc2T83M
XNak0D+jfzB9MBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAAATAPBgNVHRMBAf8E
BTADAQH/MA4GA1UdDwEB/wQEAwIChDAdBgNVHQ4EFgQU+3mb4H8nGbC1vOeV+yUK
GHAHaZIwHwYDVR0jBBgwFoAU+3mb4H8nGbC1vOeV+yUKGHAHaZIwCgYIKoZIzj0E
AwIDSQAwRgIhAOXumnWVRHNh5eMAA/MsZhr0LD/xnOqsRYPh85c+iISAAiEAsCot
7XAlietV7qM/6lN5C0bJGJ3Ly3GdP1J8HBTt+V4=
-----END CERTIFICATE-----
"""


def server_tls() -> ssl.SSLContext:
    """What a server on this machine serves TLS with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as directory:
        chain = Path(directory, "chain.pem")
        chain.write_text(_KEY + _CERTIFICATE)
        context.load_cert_chain(chain)
    return context


def client_tls() -> ssl.SSLContext:
    """What trusts that authority, and no other."""
    return ssl.create_default_context(cadata=_CERTIFICATE)
