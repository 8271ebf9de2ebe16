"""Varying ids in the data tables: `{instance}` becomes an instance id drawn from the random stream."""

import re
import string
from collections.abc import Callable, Mapping
from random import Random

from osdetect.scenario.call import Json, JsonObject

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_ALPHANUMERIC = string.ascii_letters + string.digits
_KEY_ALPHABET = string.ascii_uppercase + "234567"


def alphanumeric(rng: Random, length: int) -> str:
    """`length` random letters and digits."""
    return "".join(rng.choices(_ALPHANUMERIC, k=length))


def key_id(rng: Random, prefix: str) -> str:
    """An id as IAM gives them, 20 characters long: AKIA (key), ASIA (session), AIDA (user), AROA (role)."""
    return prefix + "".join(rng.choices(_KEY_ALPHABET, k=20 - len(prefix)))


def uuid4(rng: Random) -> str:
    """A random UUID of version 4 from `rng`, so that it repeats with the seed."""
    text = f"{(rng.getrandbits(128) & ~(0xF << 76 | 0x3 << 62)) | (0x4 << 76 | 0x2 << 62):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _hex17(prefix: str) -> Callable[[Random], str]:
    return lambda rng: f"{prefix}-0{rng.getrandbits(64):016x}"


def _one_of(*values: str) -> Callable[[Random], str]:
    return lambda rng: rng.choice(values)


_DRAWS: Mapping[str, Callable[[Random], str]] = {
    "instance": _hex17("i"),
    "volume": _hex17("vol"),
    "snapshot": _hex17("snap"),
    "subnet": _hex17("subnet"),
    "network_interface": _hex17("eni"),
    "security_group": _hex17("sg"),
    "uuid": uuid4,
    "session_key": lambda rng: key_id(rng, "ASIA"),
    "number": lambda rng: str(rng.randrange(10_000, 99_999)),
    "bucket": _one_of(
        "example-orders-archive", "example-web-assets", "example-reports", "example-build-cache"
    ),
    "object": lambda rng: f"{rng.choice(('2026/03', 'exports', 'images', 'cache'))}/{alphanumeric(rng, 12)}",
    "function": _one_of("report-builder", "thumbnailer", "order-events", "invoice-mailer"),
    "log_group": _one_of("/aws/lambda/report-builder", "/aws/lambda/thumbnailer", "/ecs/shop", "/app/orders"),
    "role": _one_of("app-orders-role", "report-builder-role", "ci-deployer", "ecsTaskExecutionRole"),
    "table": _one_of("orders", "sessions", "inventory"),
    "secret": _one_of("prod/orders/database", "prod/shop/payment", "prod/mail/relay"),
    "parameter": _one_of("/shop/feature-flags", "/shop/cache-ttl", "/orders/queue-url"),
    "instance_type": _one_of("t3.micro", "t3.large", "m6i.large", "c6i.xlarge"),
}


def fill(value: Json, rng: Random, fixed: Mapping[str, str]) -> Json:
    """`value` with each placeholder replaced: from `fixed` if it names it, otherwise drawn.

    Within one call the same placeholder is drawn once, so that a request and its response agree.

    Raises:
        KeyError: a placeholder that neither knows; the tables are ours, so that is a defect of them.
    """
    drawn = dict(fixed)

    def draw(match: re.Match[str]) -> str:
        word = match[1]
        if word not in drawn:
            drawn[word] = _DRAWS[word](rng)
        return drawn[word]

    def walk(node: Json) -> Json:
        if isinstance(node, str):
            return _PLACEHOLDER.sub(draw, node) if "{" in node else node
        if isinstance(node, Mapping):
            return {key: walk(below) for key, below in node.items()}
        if node is None or isinstance(node, int):
            return node
        return [walk(below) for below in node]

    return walk(value)


def fill_object(value: JsonObject, rng: Random, fixed: Mapping[str, str]) -> dict[str, Json]:
    """`fill` for an object, which stays one."""
    filled = fill(value, rng, fixed)
    assert isinstance(filled, dict)
    return filled
