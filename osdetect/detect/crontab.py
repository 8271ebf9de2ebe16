"""Cron expressions as crontab(5) has them, made of APScheduler's triggers, which count the days of the week otherwise.

There Monday is 0; in crontab Sunday is 0 and 7. There all fields must hold; in crontab a day of the month and a day of the week that are
both restricted are alternatives.
"""

from datetime import tzinfo
from typing import Any

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NUMBERS = {name: number for number, name in enumerate(_DAYS)}
_FIELDS = 5


def crontab(text: str, zone: tzinfo | None) -> Any:
    """The trigger for a cron expression: minute, hour, day of the month, month, day of the week.

    Args:
        text: the expression.
        zone: the time zone that it is in.

    Raises:
        ValueError: it is none.
    """
    from apscheduler.triggers.combining import OrTrigger  # noqa: PLC0415  # a single pass needs none
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415

    fields = text.split()
    if len(fields) != _FIELDS:
        raise ValueError(f"it has {len(fields)} fields, and not {_FIELDS}")
    minute, hour, day, month, weekday = fields
    weekdays = days_of_week(weekday)

    def at(day: str, weekday: str) -> Any:
        return untyped(CronTrigger)(
            minute=minute, hour=hour, day=day, month=month, day_of_week=weekday, timezone=zone
        )

    if day.startswith("*") or weekday.startswith("*"):
        return at(day, weekdays)
    return untyped(OrTrigger)([at(day, "*"), at("*", weekdays)])


def days_of_week(field: str) -> str:
    """The last field of a cron expression, by names.

    >>> days_of_week("1-5"), days_of_week("0"), days_of_week("7"), days_of_week("5-7"), days_of_week("*/3")
    ('mon,tue,wed,thu,fri', 'sun', 'sun', 'sun,fri,sat', 'sun,wed,sat')
    >>> days_of_week("mon-wed,SAT"), days_of_week("*")
    ('mon,tue,wed,sat', '*')

    Raises:
        ValueError: it names no days.
    """
    if field == "*":
        return field
    found = {number % len(_DAYS) for part in field.split(",") for number in _numbers(part)}
    return ",".join(_DAYS[number] for number in sorted(found))


def _numbers(part: str) -> range:
    span, stepped, step = part.partition("/")
    first, ranged, last = span.partition("-")
    if stepped and not (step.isascii() and step.isdigit() and int(step)):
        raise ValueError(f"{part!r} has no usable step")
    if span == "*":
        return range(0, len(_DAYS), int(step or 1))
    begin = _number(first)
    end = _number(last) if ranged else begin if not stepped else len(_DAYS) - 1
    if end < begin:
        raise ValueError(f"{part!r} ends before it begins")
    return range(begin, end + 1, int(step or 1))


def _number(day: str) -> int:
    number = _NUMBERS.get(day.lower(), -1)
    if number < 0 and day.isascii() and day.isdigit():
        number = int(day)
    if not 0 <= number <= len(_DAYS):
        raise ValueError(f"{day!r} is no day of the week: 0 or 7 is Sunday, or write sun")
    return number


def untyped(thing: Any) -> Any:
    """What APScheduler gives, which says nothing of its types."""
    return thing
