"""The load itself: files in, batches out, the ledger behind them."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from osdetect.cloudtrail import (
    BadRecord,
    Delivery,
    Digest,
    FoundFile,
    LeftOut,
    RawRecord,
    fingerprint,
    iter_files,
    read_file,
)
from osdetect.cluster import Cluster
from osdetect.documents.event import event_document
from osdetect.errors import InputError, RecordError, Where
from osdetect.load import ledger
from osdetect.load.batch import Batch, Item
from osdetect.load.deadletter import DeadLetter
from osdetect.load.deliver import Delivered, deliver
from osdetect.load.flight import Flight
from osdetect.load.options import LoadOptions
from osdetect.load.ready import require_templates, settle_partition
from osdetect.load.report import SHOWN, FileNote, LoadReport, RecordNote

_WINDOW = 200
"""Files looked up in the ledger by one request."""


def load(
    cluster: Cluster,
    paths: Sequence[Path],
    options: LoadOptions,
    *,
    now: datetime,
    on_progress: Callable[[int, int], None] | None = None,
) -> LoadReport:
    """Store each record of the files behind `paths` as an event, once.

    Args:
        cluster: where to.
        paths: files, and folders to walk.
        options: namespace, partition, limits.
        now: becomes `event.ingested`.
        on_progress: told how many bytes of files are done, and of how many.

    Raises:
        InputError: there is no file to read behind any of the paths.
        UsageError: the namespace is partitioned the other way.
        ClusterUnavailable, ClusterRefused: the cluster; what was acknowledged stays, and running it again completes it.
    """
    seen = list(iter_files(paths))
    found = [item.path for item in seen if isinstance(item, FoundFile)]
    left_out = [item for item in seen if isinstance(item, LeftOut)]
    if not found:
        raise _nothing(paths, left_out)
    require_templates(cluster, options.namespace)
    settle_partition(cluster, options)
    run = _Run(cluster, options, now)
    for item in left_out:
        run.leave_out(item)
    run.read(found, on_progress or _unseen)
    return run.report()


def _unseen(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


def _nothing(paths: Sequence[Path], left_out: Sequence[LeftOut]) -> InputError:
    named = [f"{item.path} {item.reason}" for item in left_out if not item.ignored]
    ignored = sum(item.ignored for item in left_out)
    also = [f"{ignored} files are not named .json or .json.gz"] if ignored else []
    return InputError(
        f"no CloudTrail files found in {', '.join(map(str, paths)) or 'no path at all'}",
        cause="; ".join([*named[:5], *also]),
        cure="name a folder or files as CloudTrail delivers them: .json.gz or .json",
    )


class _Run:
    """One load under way: what is being filled, what is under way, what is counted."""

    def __init__(self, cluster: Cluster, options: LoadOptions, now: datetime) -> None:
        self._cluster = cluster
        self._options = options
        self._ingested = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03}Z"
        self._flight = Flight(self._send, self._finished, options.in_flight)
        self._batch = Batch()
        self._launched = self._landed = 0
        self._waiting: deque[tuple[int, int, ledger.Entry]] = deque()
        """Files that are read: number, how many batches must have landed, ledger entry but for its dead letters."""
        self._letters_of: Counter[int] = Counter()
        self._files = self._files_known = self._letters_known = self._digests = self._ignored = 0
        self._records = self._stored_bytes = self._text_bytes = 0
        self._partial: list[FileNote] = []
        self._refused: list[FileNote] = []
        self._notes: list[RecordNote] = []
        self._outcomes: Counter[str] = Counter()
        self._flawed: Counter[str] = Counter()
        self._indices_of: defaultdict[int, set[str]] = defaultdict(set)
        self._event_indices: Mapping[str, str] = {}

    def leave_out(self, item: LeftOut) -> None:
        """Count a path that is not read."""
        if item.ignored:
            self._ignored += 1
        else:
            self._refused.append(FileNote(Where(str(item.path)), item.reason))

    def read(self, files: Sequence[Path], on_progress: Callable[[int, int], None]) -> None:
        """Take the files in, those that are not loaded yet, and see all of it acknowledged."""
        sizes = [_size(path) for path in files]
        total, done = sum(sizes), 0
        hashes: set[str] = set()
        for start in range(0, len(files), _WINDOW):
            for path, entry in self._look_up(files[start : start + _WINDOW], hashes):
                if entry is None:
                    self._read_file(path)
                else:
                    self._known(path, entry)
            done += sum(sizes[start : start + _WINDOW])
            on_progress(done, total)
        self._launch()
        self._flight.land_all()
        self._write_ledger()

    def _look_up(self, files: Sequence[Path], hashes: set[str]) -> Iterator[tuple[Path, ledger.Entry | None]]:
        """Each file with its entry in the ledger, None for those to read; `hashes` are this load's files."""
        by_path: dict[Path, str] = {}
        for path in files:
            try:
                by_path[path] = fingerprint(path)
            except RecordError as error:
                self._refuse(error)
        known = ledger.known(self._cluster, self._options.namespace, dict.fromkeys(by_path.values()))
        for path, sha256 in by_path.items():
            if sha256 in hashes:  # the same bytes under another name, earlier in this load
                yield path, ledger.Entry(sha256, str(path), 0, 0, "", -1)
            else:
                hashes.add(sha256)
                yield path, known.get(sha256)

    def _known(self, path: Path, entry: ledger.Entry) -> None:
        self._files_known += 1
        self._letters_known += entry.dead_letters
        if entry.cut:
            self._partial.append(_cut_note(path, entry.cut, entry.cut_offset))

    def _refuse(self, error: RecordError) -> None:
        cause = f"{error.what}: {error.cause}" if error.cause else error.what
        self._refused.append(FileNote(error.where or Where(""), cause, error.cure))

    def _read_file(self, path: Path) -> None:
        try:
            file = read_file(path, self._options.limits)
        except RecordError as error:
            self._refuse(error)
            return
        if isinstance(file, Digest):
            self._digests += 1
            return
        self._files += 1
        self._stored_bytes += file.stored_bytes
        self._text_bytes += len(file.text)
        before = self._records
        for record in file.records():
            self._take(record, file)
        if file.cut is not None:
            self._partial.append(_cut_note(path, file.cut.reason, file.cut.offset))
        cut, offset = (file.cut.reason, file.cut.offset) if file.cut else ("", -1)
        entry = ledger.Entry(file.sha256, str(path), self._records - before, 0, cut, offset)
        batches = self._launched + bool(self._batch.size)
        self._waiting.append((self._files, batches, entry))

    def _take(self, record: RawRecord | BadRecord, file: Delivery) -> None:
        self._records += 1
        place = (self._files, str(file.path), file.sha256, record.number, record.offset)
        if isinstance(record, BadRecord):
            self._batch.add_letter(DeadLetter(*place, record.raw, record.reason))
        else:
            try:
                document = event_document(
                    record.raw,
                    record.content,
                    namespace=self._options.namespace,
                    by_day=self._options.by_day,
                    ingested=self._ingested,
                    problems=record.problems,
                )
            except RecordError as error:
                self._batch.add_letter(DeadLetter(*place, record.raw, error.what))
            else:
                self._flawed.update(document.problems)
                self._indices_of[self._files].add(document.index)
                self._batch.add(Item(document, record.raw, *place))
        if self._batch.size >= self._options.batch_bytes:
            self._launch()

    def _launch(self) -> None:
        if self._batch.size:
            self._flight.launch(self._batch)
            self._launched += 1
            self._batch = Batch()
            self._write_ledger()

    def _send(self, batch: Batch) -> Delivered:
        return deliver(self._cluster, batch, self._options.namespace, ingested=self._ingested)

    def _finished(self, delivered: Delivered) -> None:
        self._landed += 1
        self._outcomes["created"] += delivered.created
        self._outcomes["already there"] += delivered.already_there
        self._outcomes["reused id"] += delivered.reused_ids
        self._outcomes["dead letter"] += len(delivered.letters)
        for letter in delivered.letters:
            self._letters_of[letter.file] += 1
            if len(self._notes) < SHOWN:
                where = Where(letter.path)
                self._notes.append(RecordNote(where, letter.record, letter.offset, letter.reason))

    def _write_ledger(self) -> None:
        """Enter the files all of whose records are acknowledged: batches land in the order they were sent."""
        entries = []
        while self._waiting and self._waiting[0][1] <= self._landed:
            number, _, entry = self._waiting.popleft()
            uuids = self._uuids(self._indices_of.pop(number, set()))
            entries.append(replace(entry, dead_letters=self._letters_of.pop(number, 0), indices=uuids))
        ledger.write(self._cluster, self._options.namespace, entries, loaded=self._ingested)

    def _uuids(self, names: set[str]) -> frozenset[str]:
        if not names <= self._event_indices.keys():
            self._event_indices = ledger.event_indices(self._cluster, self._options.namespace)
        return frozenset(self._event_indices[name] for name in names if name in self._event_indices)

    def report(self) -> LoadReport:
        """The counts, which must add up."""
        assert self._records == self._outcomes.total(), (self._records, self._outcomes)
        return LoadReport(
            files_read=self._files,
            files_already_loaded=self._files_known,
            earlier_dead_letters=self._letters_known,
            digests=self._digests,
            ignored=self._ignored,
            partial=tuple(self._partial),
            refused=tuple(self._refused),
            records_read=self._records,
            created=self._outcomes["created"],
            already_there=self._outcomes["already there"],
            reused_ids=self._outcomes["reused id"],
            dead_letters=self._outcomes["dead letter"],
            dead_letter_notes=tuple(self._notes),
            flawed=tuple(sorted(self._flawed.items())),
            stored_bytes=self._stored_bytes,
            text_bytes=self._text_bytes,
        )


def _cut_note(path: Path, reason: str, offset: int) -> FileNote:
    return FileNote(
        Where(str(path)),
        f"read up to byte {offset} of its text: {reason}",
        "fetch the file again, then load it: the records that are there already are not stored twice",
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # reading it will say why
        return 0
