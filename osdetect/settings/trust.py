"""To whom a secret may be sent. A project's settings file is found by the working directory: it must not lead secrets away.

- A secret that the user's own file names beside a URL belongs to that URL, to the Dashboards named there and to what it lists
  in `trusted_urls`. For another one that the user names, it is left out, and that is said; for another one that a project's
  file names, the command is refused.
- A secret of the environment goes where command line, environment or the user's own file say. To a URL of a project's file
  it goes only if the user's own file names the same URL, or lists it in `trusted_urls`.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from osdetect.errors import UsageError
from osdetect.settings.files import user_file
from osdetect.settings.layers import Found, Layers, Origin


def same_host(one: str, other: str) -> bool:
    """Whether two URLs lead to the same scheme, host and port.

    >>> same_host("https://h.example", "https://H.example:443/x"), same_host("https://h:9200", "http://h:9200")
    (True, False)
    """
    return bool(one) and _origin(one) == _origin(other) != ("", "", 0)


def _origin(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme.lower(),
            (parts.hostname or "").lower(),
            parts.port or {"https": 443, "http": 80}.get(parts.scheme.lower(), 0),
        )
    except ValueError:
        return "", "", 0


def left_out(held: Layers, url: Found, secrets: Sequence[Found]) -> tuple[Found, ...]:
    """Those of the secrets' sources that belong to another cluster, and are not to be sent to this one.

    Raises:
        UsageError: the URL is a project's, and nothing of the user's says that secrets may go there.
    """
    foreign = tuple(one for one in secrets if one.origin is Origin.USER and not _belongs(held, url.value))
    if url.origin is not Origin.PROJECT or not secrets:
        return foreign
    trusted = [held.of_user("url"), *held.find("trusted_urls").value.split()]
    if foreign or not any(same_host(url.value, one) for one in trusted):
        raise UsageError(
            f"no secret is sent to {url.value}: a project's settings file names it",
            cause=f"{url.place} names the cluster, and {secrets[0].place or secrets[0].origin.value} the "
            f"{secrets[0].setting.name}; whoever wrote the project's file would get it",
            cure=f'if you mean this cluster, say so yourself: --url {url.value}, or trusted_urls = ["{url.value}"] in {user_file()}',
        )
    return ()


def _belongs(held: Layers, url: str) -> bool:
    """Whether what the user's own file says of credentials is meant for this URL."""
    own = held.of_user("url")
    also = (held.of_user("dashboards_url"), *held.find("trusted_urls").value.split())
    return not own or any(same_host(one, url) for one in (own, *also))
