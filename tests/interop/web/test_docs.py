"""The lines of docs/production.md: a bot for phones and pages, commands that parse, a manifest that adds up."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import anyio
import pytest
import typer

from tests.support import web_page_bot
from tests.support.web_server import PATIENT, comes_true, heard, served
from turnkit import FluxOptions
from turnkit.cli import app as command_line
from turnkit.simulator import Script, serve
from turnkit.testing import FakePhone

pytest.importorskip("starlette", reason="needs Starlette, which is not for development; .ci/interop has it")
pytest.importorskip("uvicorn", reason="needs uvicorn, which is not for development; .ci/interop has it")

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "production.md").read_text("utf-8")
LAST_SECONDS = 5 + 10  # for what must be finished, and for the server's own end


def blocks(language: str) -> list[str]:
    """The blocks of a language in the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def options_of(command: list[str]) -> dict[str, Any]:
    """What `turnkit serve ...` is told by a command."""
    assert command[:2] == ["turnkit", "serve"]
    group: Any = typer.main.get_command(command_line)
    serve_command = group.get_command(None, "serve")
    options: dict[str, Any] = serve_command.make_context("serve", command[2:]).params
    return options


@pytest.mark.filterwarnings("default::DeprecationWarning")  # of some versions of uvicorn, about their own parts
def test_the_python_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A phone is greeted in mu-law and recorded, by a voice that gives linear16."""
    pytest.importorskip("soxr", reason="needs turnkit[phone]; .ci/interop has it")
    monkeypatch.chdir(tmp_path)
    bot, application = blocks("python")
    assert "api_key=KEY" in application

    async def call() -> None:
        async with serve(Script.parse("2.5 Hello there, please.")) as flux:
            names: dict[str, Any] = {"tts": web_page_bot.voice, "respond": web_page_bot.respond, "URL": flux.url}
            names |= {"FluxOptions": FluxOptions, "PATIENT": PATIENT}
            exec(bot + application.replace("api_key=KEY", "url=URL, max_lag=PATIENT"), names)
            phone = FakePhone()
            async with served(names["app"]) as address, anyio.create_task_group() as tasks:
                tasks.start_soon(address.dial, phone)
                await heard([phone], 1.0)
                phone.hang_up()
                await comes_true(lambda: phone.ended is not None)
                await address.until(calls=0)
            assert phone.complaints == []
            assert flux.connections[0].audio_seconds > 0.5

    with_bound(call)
    assert len(list((tmp_path / "calls").iterdir())) == 1


def with_bound(test: Any) -> None:
    async def bounded() -> None:
        with anyio.fail_after(60):
            await test()

    anyio.run(bounded)


def test_the_commands() -> None:
    """Each is one that the command line takes."""
    commands = [
        shlex.split(line.partition("#")[0])
        for block in blocks("sh")
        for line in block.splitlines()
        if line.startswith("turnkit ")
    ]
    assert [options_of(command)["bot"] for command in commands] == ["mybot:session"] * len(commands)
    assert len(commands) == 2


def test_the_manifest() -> None:
    """Probes that are there, a pod that is given the time its calls are, a service that finds it."""
    yaml = pytest.importorskip("yaml", reason="needs PyYAML, which is not for development; .ci/interop has it")
    deployment, service = yaml.safe_load_all(blocks("yaml")[0])
    assert (deployment["kind"], deployment["apiVersion"]) == ("Deployment", "apps/v1")
    assert (service["kind"], service["apiVersion"]) == ("Service", "v1")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels == deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"]
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0

    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    options = options_of(container["command"])
    assert options["host"] == "0.0.0.0"
    assert options["workers"] == 1  # as the page says, where a balancer asks for readiness
    port = container["ports"][0]["containerPort"]
    assert options["port"] == port == service["spec"]["ports"][0]["targetPort"]
    assert {name: container[name]["httpGet"] for name in ("readinessProbe", "livenessProbe")} == {
        "readinessProbe": {"path": "/ready", "port": port},
        "livenessProbe": {"path": "/health", "port": port},
    }
    assert container["readinessProbe"]["failureThreshold"] == 1
    before = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    # No probe may begin to fail after the pod has been told to end.
    assert before > container["readinessProbe"]["periodSeconds"]
    assert pod["terminationGracePeriodSeconds"] >= before + options["drain"] + LAST_SECONDS
    (key,) = container["env"]
    assert key["name"] == "DEEPGRAM_API_KEY"
    assert "secretKeyRef" in key["valueFrom"]
