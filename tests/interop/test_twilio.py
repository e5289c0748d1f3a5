"""What Twilio is answered, and how it is known to be Twilio."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from turnkit.errors import ConfigError
from turnkit.interop.twilio import is_from_twilio, twiml

FORM = {
    "CallSid": "CA1234567890ABCDE",
    "From": "+12349013030",
    "To": "+18005551212",
    "Caller": "+12349013030",
    "Digits": "1234",
}
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"


def test_twiml() -> None:
    """XML, whatever the parameters are; what follows the call stands behind it."""
    xml = twiml("wss://bot.example.com/phone", {"name": "Ä <\"&'>", "empty": ""}, then="<Dial>+1</Dial>")
    response = ElementTree.fromstring(xml.encode())
    assert [element.tag for element in response] == ["Connect", "Dial"]
    (stream,) = response[0]
    assert stream.tag == "Stream"
    assert stream.attrib == {"url": "wss://bot.example.com/phone", "track": "inbound_track"}
    assert [(one.tag, one.attrib["name"], one.attrib["value"]) for one in stream] == [
        ("Parameter", "name", "Ä <\"&'>"),
        ("Parameter", "empty", ""),
    ]


@pytest.mark.parametrize(
    "url", ["https://bot.example.com/", "ws://bot.example.com/", "wss://", "wss://x/?a=1", "wss://x/#a", ""]
)
def test_an_address_that_twilio_would_refuse(url: str) -> None:
    with pytest.raises(ConfigError, match="must be wss:// without a query"):
        twiml(url)


def test_a_parameter_that_twilio_would_refuse() -> None:
    """The value is not quoted: it may be anybody's."""
    with pytest.raises(ConfigError, match="'token' and its value must be shorter than 500") as raised:
        twiml("wss://x/", {"token": "secret" * 100})
    assert "secret" not in str(raised.value)


def test_a_signature() -> None:
    """That of a published example; and of nothing that differs in anything."""
    signature = "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
    assert is_from_twilio("12345", signature, URL, FORM)
    assert is_from_twilio("12345", signature, URL, dict(reversed(FORM.items())))
    assert not is_from_twilio("12346", signature, URL, FORM)
    assert not is_from_twilio("12345", signature, URL + "&", FORM)
    assert not is_from_twilio("12345", signature, URL, {**FORM, "Digits": "1235"})
    assert not is_from_twilio("12345", signature, URL)
    for forged in (None, "", signature.lower(), "é", signature + " "):
        assert not is_from_twilio("12345", forged, URL, FORM)
