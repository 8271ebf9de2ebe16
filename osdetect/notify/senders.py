"""The way out of a channel."""

from collections.abc import Callable
from datetime import datetime

from osdetect.errors import UsageError
from osdetect.notify.lines import file_sender, stdout_sender
from osdetect.notify.mail import mail_sender
from osdetect.notify.message import Message
from osdetect.notify.outcome import Never, Outcome
from osdetect.notify.settings import AnyChannel, File, Mail, Slack, Stdout, Webhook
from osdetect.notify.slack import slack_sender
from osdetect.notify.webhook import webhook_sender
from osdetect.notify.words import tried_template

Send = Callable[[Message], Outcome]


def sender(name: str, channel: AnyChannel, clock: Callable[[], datetime]) -> Send:
    """What sends a message to the channel and says what came of it.

    Raises:
        UsageError: a secret is not where it is said to be, or a template is none.
    """
    channel.check_secrets(name)
    template = tried_template(name, channel.subject, channel.text)
    match channel:
        case Webhook():
            send = webhook_sender(name, channel, template, clock)
        case Slack():
            send = slack_sender(name, channel, template, clock)
        case Mail():
            send = mail_sender(name, channel, template, clock)
        case File():
            send = file_sender(channel, template)
        case Stdout():
            send = stdout_sender(template)

    def safely(message: Message) -> Outcome:
        try:
            return send(message)
        except UsageError as error:  # the template, on just this message
            return Never(str(error))

    return safely
