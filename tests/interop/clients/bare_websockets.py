"""Calls by nothing but the websockets package; told what to do, and tells, in JSON, a line a call."""

import asyncio
import json
import sys
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import connect


def opening(job: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The address, and how the credential is given."""
    url = f"{job['url']}/v2/listen?{urlencode(job['options'], doseq=True)}"
    if job["auth"] in ("token", "bearer"):
        scheme = {"token": "Token", "bearer": "Bearer"}[job["auth"]]
        return url, {"additional_headers": {"Authorization": f"{scheme} {job['secret']}"}}
    return url, {"subprotocols": [job["auth"].removesuffix(" as subprotocol"), job["secret"]]}


async def call(job: dict[str, Any]) -> dict[str, Any]:
    """Hold a call; what was heard, and how it ended."""
    heard: dict[str, Any] = {"messages": [], "error": None, "closed": False}
    url, how = opening(job)
    try:
        async with asyncio.timeout(15), connect(url, proxy=None, compression=None, **how) as connection:
            for step, value in job["steps"]:
                if step == "audio":
                    for piece in value:
                        await connection.send(bytes.fromhex(piece) if isinstance(piece, str) else bytes(piece))
                elif step == "configure":
                    await connection.send(json.dumps(value))
                else:
                    kind = {"force": "ForceEndTurn", "close": "CloseStream"}[step]
                    await connection.send(json.dumps({"type": kind}))
            heard["messages"] = [json.loads(message) async for message in connection]
            heard["closed"] = True
    except Exception as error:
        heard["error"] = (
            f"{type(error).__name__} {getattr(getattr(error, 'response', None), 'status_code', '')}".strip()
        )
    return heard


for line in sys.stdin:
    print(json.dumps(asyncio.run(call(json.loads(line)))), flush=True)
