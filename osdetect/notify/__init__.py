"""Tell people and machines of new alerts: at least once, each message with a key by which a repetition is known.

    settings.py   channels, as a settings file says them
    secret.py     secrets, which are named there and stand elsewhere
    wanted.py     which alerts a channel tells
    outbox.py     what is stored: entries and lanes
    collect.py    new alerts become entries
    message.py    what is told: one alert, or many of one rule
    form.py       a lane's next message
    words.py      a message as text, by a template
    outcome.py    what came of sending a message, and when to try again
    webhook.py, slack.py, mail.py, lines.py   the four ways out
    senders.py    the way out of a channel
    tell.py       due messages are sent and marked
    letters.py    messages that were given up
    channel.py    one pass of one channel

How nothing is lost and nothing doubled. For each channel and alert there is one *entry* in the outbox, whose id follows
from both, so an alert that is read twice, or was changed, adds nothing. The cursor over the alerts moves only when the
entries are stored. For each channel and rule there is one *lane*: up to which entry it was told, and the message that is
on its way. A message stands for all entries in a range of the outbox's own sequence numbers, and is written into the
lane before it is sent; so whoever sends it again, sends the same message with the same key.
"""
