"""A message as text: by the channel's own template, or by the built-in one.

Templates are the operator's, what they are filled with is hostile: it is never taken for a template, control characters
are escaped, and no line break comes from it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jinja2
import msgspec
from jinja2 import meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from msgspec.structs import replace

from osdetect.errors import UsageError
from osdetect.notify.message import Message, lost_example, trial
from osdetect.source import printable

SUBJECT = (
    "[{{ message.rule.level or 'alert' }}] {{ message.rule.name or message.rule.id }}"
    "{% if message.count > 1 %}: {{ '{:,}'.format(message.count) }} alerts{% endif %}"
)
TEXT = """\
{% if message.count > 1 -%}
{{ '{:,}'.format(message.count) }} alerts of events from {{ message.first }} to {{ message.last }}, the first of them:
{% endif -%}
{% for alert in message.alerts %}
{{ alert['@timestamp'] or 'an alert that was deleted' }}  {{ alert.event.provider }} {{ alert.event.action }} {{ alert.event.outcome }}
  by {{ alert.user.name or 'unknown' }} from {{ alert.source.address or alert.source.ip or 'unknown' }}, \
account {{ alert.cloud.account.id or 'unknown' }} {{ alert.cloud.region }}
{%- for one in alert.evidence %}
  {{ one.field }} {{ one.test }}: {{ one.value }}
{%- endfor %}
  alert {{ alert.id }}{% if alert.link %}  {{ alert.link }}{% endif %}
{% endfor %}"""
_LONGEST_SUBJECT = 200
_LONGEST_TEXT = 30_000
_LINE = 2_000


class Words(msgspec.Struct, frozen=True):
    """A message as text."""

    subject: str
    """One line."""
    text: str
    """Lines; the last names the rule and its author."""


class Template:
    """The templates of a channel."""

    def __init__(self, channel: str, subject: str, text: str) -> None:
        """Read the templates.

        Raises:
            UsageError: one of them is none, or asks for what a message does not have.
        """
        # Text goes into JSON and mail, never into a page: each way out escapes what is special there.
        self._environment = ImmutableSandboxedEnvironment(  # see the line above
            undefined=jinja2.ChainableUndefined, autoescape=False, finalize=_inert
        )
        self._channel = channel
        self._subject = self._read("subject", subject or SUBJECT)
        self._text = self._read("text", text or TEXT)

    def words(self, message: Message) -> Words:
        """The message as text.

        Raises:
            UsageError: the template fails on it.
        """
        given = message.to_source()
        subject = printable(" ".join(self._filled("subject", self._subject, given).split()), _LONGEST_SUBJECT)
        filled = self._filled("text", self._text, given)
        lines = [printable(line.rstrip(), _LINE) for line in filled[:_LONGEST_TEXT].strip("\n").split("\n")]
        if len(filled) > _LONGEST_TEXT:
            lines.append(f"({len(filled) - _LONGEST_TEXT:,} characters are left out)")
        return Words(subject, "\n".join([*lines, "", *_signed(message.rule)]))

    def _read(self, name: str, text: str) -> jinja2.Template:
        try:
            asked = meta.find_undeclared_variables(self._environment.parse(text)) - {"message"}
            template = self._environment.from_string(text)
        except (jinja2.TemplateError, RecursionError) as error:
            raise self._error(name, error) from None
        if asked:
            raise UsageError(
                f"the {name} template of channel {self._channel} asks for {', '.join(sorted(asked))}",
                cure="a template has `message`: see docs/notifications.md",
            )
        return template

    def _filled(self, name: str, template: jinja2.Template, given: Mapping[str, Any]) -> str:
        try:
            return template.render(message=given)
        except Exception as error:  # noqa: BLE001  # an operator's template may fail in any way
            raise self._error(name, error) from None

    def _error(self, name: str, error: Exception) -> UsageError:
        line = getattr(error, "lineno", None)
        return UsageError(
            f"the {name} template of channel {self._channel} cannot be used",
            cause=(f"line {line}: " if line else "") + f"{error}",
            cure="see docs/notifications.md; osdetect notify check tries all templates",
        )


def tried_template(channel: str, subject: str, text: str) -> Template:
    """The templates, tried on a message with everything and on one with next to nothing.

    Raises:
        UsageError: they cannot be used.
    """
    template = Template(channel, subject, text)
    full = trial(channel, "default", datetime.fromtimestamp(0, UTC))
    bare = lost_example("0", "none", {})
    for message in (full, replace(full, count=2, rule={}, first="", last="", alerts=(bare,))):
        template.words(message)
    return template


def _signed(rule: Mapping[str, Any]) -> list[str]:
    """Who made the rule: the Detection Rule License asks for the author in each message."""
    name = printable(str(rule.get("name") or rule.get("id") or "unknown"), 300)
    author = printable(str(rule.get("author") or "not named"), 600)
    licence = printable(str(rule.get("license") or ""), 100)
    return [f"Rule: {name}", f"Author: {author}" + (f" (license: {licence})" if licence else "")]


def _inert(value: Any) -> Any:
    """What is filled in stays on its line."""
    return printable(value, _LINE) if isinstance(value, str) else value
