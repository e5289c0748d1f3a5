"""The tests of the client run over every transport there is."""

from __future__ import annotations

from tests.support.transports import anyio_backend

__all__ = ["anyio_backend"]
