"""What a dashboard is made of, in our own words; `saved_objects` says the same in those of OpenSearch Dashboards."""

from enum import StrEnum

import msgspec


class Source(msgspec.Struct, frozen=True):
    """What panels look at: an index pattern."""

    pattern: str
    """Its title, and its id: links name it (`osdetect.alerts.links`)."""
    template: str
    """The mapping file that the indices are made by."""
    time: str = "@timestamp"
    """The field that the time picker goes by; empty: none."""


class Calculation(StrEnum):
    """What is reckoned from a field."""

    COUNT = "count"
    DISTINCT = "cardinality"
    SUM = "sum"
    MAX = "max"
    MIN = "min"
    PERCENTILES = "percentiles"


class Measure(msgspec.Struct, frozen=True):
    """A number of a panel."""

    of: Calculation = Calculation.COUNT
    field: str = ""
    label: str = ""
    percents: tuple[int, ...] = ()


class Terms(msgspec.Struct, frozen=True):
    """A group for each of the most frequent values."""

    field: str
    label: str
    size: int = 10
    other: bool = False
    """Whether the rest makes one more group."""


class OverTime(msgspec.Struct, frozen=True):
    """A group for each interval; how long one is follows from the time that is looked at."""

    field: str = "@timestamp"
    label: str = "time"


class Condition(msgspec.Struct, frozen=True):
    """A field has one of these values, or none of them."""

    field: str
    values: tuple[str, ...]
    negated: bool = False

    def to_dql(self) -> str:
        """In the language of Dashboards' query bar.

        >>> Condition("osdetect.status", ("open", "acknowledged")).to_dql()
        'osdetect.status:("open" or "acknowledged")'
        """
        values = " or ".join(f'"{value}"' for value in self.values)
        said = f"{self.field}:({values})"
        return f"not {said}" if self.negated else said


class AtLeast(msgspec.Struct, frozen=True):
    """A number is this or more."""

    field: str
    value: int

    def to_dql(self) -> str:
        """In the language of Dashboards' query bar."""
        return f"{self.field} >= {self.value}"


Query = tuple[Condition | AtLeast, ...]
"""All of them hold."""


class Form(StrEnum):
    """How a chart is drawn: the type of its visualization."""

    NUMBER = "metric"
    COLUMNS = "histogram"
    BARS = "horizontal_bar"
    LINES = "line"
    TABLE = "table"


class Chart(msgspec.Struct, frozen=True):
    """A panel of numbers."""

    key: str
    """Its id is made of this; never changed, because people build dashboards of their own with it."""
    title: str
    form: Form
    source: Source
    measures: tuple[Measure, ...] = (Measure(),)
    groups: tuple[Terms | OverTime, ...] = ()
    """From the outermost to the innermost."""
    query: Query = ()


class Listing(msgspec.Struct, frozen=True):
    """A saved search: documents with columns, the newest first."""

    key: str
    title: str
    source: Source
    columns: tuple[str, ...]
    query: Query = ()
    about: str = ""


class Note(msgspec.Struct, frozen=True):
    """A panel of text, in Markdown."""

    key: str
    title: str
    text: str


class Heat(msgspec.Struct, frozen=True):
    """The ATT&CK matrix, coloured by alerts."""

    key: str
    title: str
    source: Source


Item = Chart | Listing | Note | Heat


class Row(msgspec.Struct, frozen=True):
    """Panels side by side, each with its share of the width."""

    height: int
    items: tuple[tuple[Item, int], ...]
    """Panel and width; the widths of a row are `WIDTH` together."""


WIDTH = 48
"""Columns of Dashboards' grid."""


class Board(msgspec.Struct, frozen=True):
    """A dashboard."""

    key: str
    title: str
    about: str
    rows: tuple[Row, ...]
    since: str = "now-7d"
    """Where the time picker stands when it is opened."""
