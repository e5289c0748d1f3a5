"""The simulator at the upgrade: queries, paths and credentials that are taken or refused."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from tests.support.simulator_client import CLOSE, HELLO, RAW, audio, call, dial, refusal
from turnkit.simulator import Refusal, serve

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("model=flux-general-en&language=en", 400, "INVALID_QUERY_PARAMETER"),
        (f"{RAW}&eot_threshold=1.01", 400, "INVALID_QUERY_PARAMETER"),
        (f"{RAW}&eager_eot_threshold=0.8", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&encoding=linear16", 400, "INVALID_QUERY_PARAMETER"),
        (f"{RAW}&redact=pci", 400, "INVALID_QUERY_PARAMETER"),
        (RAW.replace("-en", "-xx"), 403, "INSUFFICIENT_PERMISSIONS"),
    ],
)
async def test_a_bad_query_is_refused_with_fluxs_status_and_body(query: str, status: int, code: str) -> None:
    """The body names code, message and request id; two headers repeat them."""
    async with serve(HELLO) as flux:
        response = await refusal(flux, query)
        assert flux.refusals == [Refusal(status, code)]
        assert flux.connections == []
    body = json.loads(response.body)
    assert response.status_code == status
    assert list(body) == ["err_code", "err_msg", "request_id"]
    assert body["err_code"] == code
    assert response.headers["dg-request-id"] == body["request_id"]
    assert response.headers["dg-error"] == body["err_msg"]
    assert response.headers["Content-Type"] == "application/json"


async def test_a_language_hint_where_none_belongs_has_the_other_body() -> None:
    """`code` and `description`, as Flux answers it."""
    async with serve(HELLO) as flux:
        response = await refusal(flux, f"{RAW}&language_hint=en")
    assert response.status_code == 400
    assert json.loads(response.body) == {
        "code": "INVALID_PARAMETER",
        "description": "language_hint is not supported for model flux-general-en",
    }
    assert response.headers["dg-request-id"]
    assert "language_hint" in response.headers["dg-error"]


async def test_flux_is_at_one_path_only() -> None:
    """`/v1/listen` does not serve it; and what a client sends never breaks a header."""
    async with serve(HELLO) as flux:
        assert (await refusal(flux, path="/v1/listen")).status_code == 404
        assert (await refusal(flux, path="/v2/listen/")).status_code == 404
        response = await refusal(flux, f"{RAW}&caf%C3%A9%0D%0Ax-evil:1=1")
        assert response.headers["dg-error"].endswith("unknown field `caf???x-evil:1`")
        assert "x-evil" not in response.headers


@pytest.mark.parametrize(
    ("options", "protocol"),
    [
        ({"additional_headers": {"Authorization": "Token key-1"}}, None),
        ({"additional_headers": {"Authorization": "token key-1"}}, None),
        ({"additional_headers": {"Authorization": "Bearer a.b.c"}}, None),
        ({"subprotocols": ["token", "key-1"]}, "token"),
        ({"subprotocols": ["bearer", "a.b.c"]}, "bearer"),
        ({"subprotocols": ["x-deepgram-session-id", "s", "token", "key-1"]}, "token"),
    ],
)
async def test_good_credentials_are_taken_in_each_form(options: dict[str, Any], protocol: str | None) -> None:
    """Header or subprotocol, key or token; the scheme's case does not matter; a browser gets its subprotocol back."""
    async with serve(HELLO, api_key="key-1", token="a.b.c") as flux, dial(flux, **options) as socket:
        assert json.loads(await socket.recv())["request_id"] == socket.response.headers["dg-request-id"]
        assert socket.subprotocol == protocol


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"additional_headers": {"Authorization": "Token key-2"}},
        {"additional_headers": {"Authorization": "Bearer key-1"}},
        {"additional_headers": {"Authorization": "Token a.b.c"}},
        {"additional_headers": {"Authorization": "Basic key-1"}},
        {"additional_headers": {"Authorization": "key-1"}},
        {"subprotocols": ["token", "key-2"]},
        {"subprotocols": ["bearer", "key-1"]},
        {"subprotocols": ["token"]},
        {"subprotocols": ["key-1"]},
    ],
)
async def test_bad_credentials_are_refused(options: dict[str, Any]) -> None:
    """401, before anything is said about the query; a key behind Bearer is as bad as a wrong one."""
    async with serve(HELLO, api_key="key-1", token="a.b.c") as flux:
        response = await refusal(flux, "model=nova-3", **options)
    assert response.status_code == 401
    assert json.loads(response.body)["err_code"] == "INVALID_AUTH"


async def test_without_credentials_set_any_are_good() -> None:
    """And so are none at all."""
    async with serve(HELLO) as flux:
        for options in ({}, {"additional_headers": {"Authorization": "Bearer x"}}, {"subprotocols": ["token", "x"]}):
            messages, _ = await call(flux, [CLOSE], **options)
            assert [message["type"] for message in messages] == ["Connected"]


async def test_keys_and_words_never_reach_a_log(caplog: pytest.LogCaptureFixture) -> None:
    """Not even with every logger at DEBUG."""
    with caplog.at_level(logging.DEBUG):
        async with serve(HELLO, api_key="key-1") as flux:
            await call(flux, [*audio(4.0), CLOSE], logger=logging.getLogger("client"), subprotocols=["token", "key-1"])
            assert "key-1" not in repr(flux) + repr(flux.connections) + repr(vars(flux))
    server = [record.getMessage() for record in caplog.records if record.name.startswith("turnkit")]
    assert not any("key-1" in line or "table" in line for line in server)
