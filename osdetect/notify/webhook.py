"""A message as JSON by HTTP POST, signed as Standard Webhooks (version 1) says.

The signature is HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}`, in base64: who knows the key knows that the
message is ours, is whole, and is not an old one sent again (docs/notifications.md says how to verify).
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from datetime import datetime

import orjson

from osdetect import __version__
from osdetect.notify.message import Message
from osdetect.notify.outcome import Outcome
from osdetect.notify.post import Receiver, post
from osdetect.notify.settings import Webhook
from osdetect.notify.words import Template

_PREFIX = "whsec_"
"""In front of a key that is written in base64."""
_PARTS = re.compile(r"[\s,;:\"']+")
"""What is between the parts of an Authorization header: a receiver may repeat the token without `Bearer`."""


def webhook_sender(
    name: str, channel: Webhook, template: Template, clock: Callable[[], datetime]
) -> Callable[[Message], Outcome]:
    """What sends a message to the channel.

    Raises:
        UsageError: its address or a secret is not there.
    """
    url, secrets, authorization = channel.address(name), channel.secrets(name), channel.authorization(name)
    hidden = (*secrets, authorization, *_PARTS.split(authorization))
    receiver = Receiver(url, channel.timeout_s, channel.ca_file, hidden)

    def send(message: Message) -> Outcome:
        text = body(message, template)
        stamp = str(int(clock().timestamp()))
        signed = {"webhook-signature": signature(secrets, message.key, stamp, text)} if secrets else {}
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"osdetect/{__version__}",
            "Idempotency-Key": message.key,
            "webhook-id": message.key,
            "webhook-timestamp": stamp,
            **signed,
            **({"Authorization": authorization} if authorization else {}),
        }
        return post(receiver, headers, text, clock)

    return send


def body(message: Message, template: Template) -> bytes:
    """What is sent: the same bytes for the same message."""
    words = template.words(message)
    head = {"type": "osdetect.alerts", "version": 1}
    return orjson.dumps({**head, **message.to_source(), "subject": words.subject, "text": words.text})


def signature(secrets: Sequence[str], message_id: str, timestamp: str, text: bytes) -> str:
    """One signature for each key, separated by spaces.

    >>> signature(["whsec_b3NkZXRlY3QtdGVzdC1rZXk="], "msg_1", "1614265330", b"{}")
    'v1,QqhlTZA+dT+QWRQZWtFvl+nkljjbDIco00lTeatJZSw='
    """
    signed = f"{message_id}.{timestamp}.".encode() + text
    made = (hmac.digest(_key(secret), signed, hashlib.sha256) for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(one).decode()}" for one in made)


def _key(secret: str) -> bytes:
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            return secret.encode()  # a key of one's own that happens to begin so
    return secret.encode()
