"""`osdetect packs`: rules of others, kept in a repository of one's own."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from osdetect import packs
from osdetect.cli import packs_output as shown
from osdetect.cli.options import Output, Verbose
from osdetect.cli.output import OutputFormat, print_json, progress_bar, write_line
from osdetect.errors import UsageError
from osdetect.packs import Change, Kind, Selection, Update
from osdetect.vocabulary import ExitCode

app = typer.Typer(
    no_args_is_help=True,
    help="Rules of others in your repository: added, updated, listed, removed, with your overlays on them.",
)

Root = Annotated[
    Path,
    typer.Option(
        "--root", help="Top of your repository: it holds packs/, overlays/ and the lock file.", metavar="DIR"
    ),
]
Ref = Annotated[str, typer.Option("--ref", help="Of git: the branch, tag or commit to take.", metavar="REF")]
Product = Annotated[list[str] | None, typer.Option(help="Only rules for this product; repeatable.")]
Service = Annotated[
    list[str] | None,
    typer.Option(help="Only rules for this service, or for every service of their product; repeatable."),
]
LevelOption = Annotated[
    list[str] | None, typer.Option("--level", help="Only rules of this level; repeatable.")
]
Status = Annotated[
    list[str] | None, typer.Option(help="Only rules of this status, such as stable; repeatable.")
]
Tag = Annotated[
    list[str] | None, typer.Option(help="Only rules with this tag; `attack.t1078*` takes more; repeatable.")
]
Id = Annotated[list[str] | None, typer.Option("--id", help="Only the rule with this id; repeatable.")]
DiscardEdits = Annotated[
    bool,
    typer.Option("--discard-edits", help="Also where files of the pack were edited: the edits are lost."),
]
HERE = Path()


@app.command()
def add(
    source: Annotated[
        str,
        typer.Argument(
            help="A git repository (URL or path), a folder, or a zip or tar.gz archive (file or https URL).",
            metavar="SOURCE",
        ),
    ],
    name: Annotated[
        str, typer.Option("--name", help="The pack's name; default: the last part of SOURCE.", metavar="NAME")
    ] = "",
    ref: Ref = "",
    kind: Annotated[
        Kind | None, typer.Option("--kind", help="How SOURCE is read; default: as it looks.")
    ] = None,
    folder: Annotated[
        str, typer.Option("--folder", help="Take this folder of SOURCE alone.", metavar="DIR")
    ] = "",
    product: Product = None,
    service: Service = None,
    level: LevelOption = None,
    status: Status = None,
    tag: Tag = None,
    id_: Id = None,
    root: Root = HERE,
    output: Output = OutputFormat.TABLE,
    verbose: Verbose = False,
) -> int:
    """Add the rules of a source as a pack: into packs/NAME, with their licence, and into osdetect.packs.lock.

    Nothing of the source is run. What is no plain file, leads out of its folder or is no rule is refused and named, and sets
    exit code 1; the pack is added.

    Examples: `osdetect packs add https://github.com/SigmaHQ/sigma --product aws --service cloudtrail` ·
    `osdetect packs add rules.zip --level high --level critical`
    """
    wanted = _selection(product, service, level, status, tag, id_)
    with progress_bar("Reading the source", unit_bytes=True) as tell:
        change = packs.add(
            root,
            packs.source_of(source, kind=kind, ref=ref, folder=folder),
            wanted or Selection(),
            name,
            tell,
        )
    return _told((change,), output, verbose=verbose)


@app.command()
def update(
    names: Annotated[
        list[str] | None, typer.Argument(help="The packs; default: all of them.", metavar="NAME")
    ] = None,
    ref: Ref = "",
    product: Product = None,
    service: Service = None,
    level: LevelOption = None,
    status: Status = None,
    tag: Tag = None,
    id_: Id = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="From now on every rule, whatever was selected before.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no source: only apply the overlays anew.")
    ] = False,
    accept: Annotated[
        bool,
        typer.Option(
            "--accept", help="The overlays in conflict are as they should be: no more of these conflicts."
        ),
    ] = False,
    discard_edits: DiscardEdits = False,
    root: Root = HERE,
    output: Output = OutputFormat.TABLE,
    verbose: Verbose = False,
) -> int:
    """Bring packs to what their sources hold now; shows the rules that are added, changed and removed.

    Overlays stay as they are and in effect. One whose rule has changed in the source is in conflict: it is named, and sets
    exit code 1, until the overlay is changed or --accept says that it is right. So does a file that is refused, the first time: then
    the lock file names it. A pack is the old one or the new one, whenever
    this is killed. Options that select replace what was selected before.

    Examples: `osdetect packs update` · `osdetect packs update sigma --ref r2026-01-01` · `osdetect packs update --offline`
    """
    wanted = _selection(product, service, level, status, tag, id_)
    if (wanted or ref) and len(names or ()) != 1:
        raise UsageError("a ref or a selection is one pack's", cure="name the pack")
    if offline and (wanted or ref or everything):
        raise UsageError("another ref or selection must be asked of the source", cure="leave out --offline")
    chosen = Selection() if everything else wanted
    how = Update(ref, chosen, offline=offline, accept=accept, discard_edits=discard_edits)
    with progress_bar("Reading sources", unit_bytes=True) as tell:
        changes = packs.update(root, names or (), how, tell)
    return _told(changes, output, verbose=verbose)


@app.command(name="list")
def list_(
    root: Root = HERE,
    output: Output = OutputFormat.TABLE,
) -> int:
    """List the packs: source, commit, licence, rules, overlays, and whether the files are what was put there.

    A pack that is edited or missing, or has an overlay in conflict, sets exit code 1.

    Examples: `osdetect packs list` · `osdetect packs list --output json`
    """
    found = packs.listed(root)
    if output is OutputFormat.JSON:
        print_json([shown.listed_json(one) for one in found])
    else:
        shown.print_listed(found)
    return ExitCode.LOSS if any(shown.is_wrong(one) for one in found) else ExitCode.OK


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="The pack.", metavar="NAME")],
    discard_edits: DiscardEdits = False,
    root: Root = HERE,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Remove a pack. Your overlays on it stay.

    Example: `osdetect packs remove sigma`
    """
    overlays = packs.remove(root, name, discard_edits=discard_edits)
    if output is OutputFormat.JSON:
        print_json({"removed": name, "overlays": str(overlays) if overlays else None})
        return ExitCode.OK
    write_line(f"removed the pack {name}")
    if overlays:
        write_line(f"its overlays stay: {overlays}")
    return ExitCode.OK


def _selection(
    product: Iterable[str] | None,
    service: Iterable[str] | None,
    level: Iterable[str] | None,
    status: Iterable[str] | None,
    tag: Iterable[str] | None,
    id_: Iterable[str] | None,
) -> Selection | None:
    """What the options select; None where there are none."""
    given = {
        "product": product, "service": service, "level": level, "status": status, "tag": tag, "id": id_,
    }  # fmt: skip
    words = {key: values for key, values in given.items() if values}
    return packs.selection_of(words) if words else None


def _told(changes: Iterable[Change | packs.Failed], output: OutputFormat, *, verbose: bool) -> int:
    told = tuple(changes)
    if output is OutputFormat.JSON:
        print_json([shown.change_json(one) for one in told])
    else:
        for one in told:
            shown.print_change(one, verbose=verbose)
    failed = [one for one in told if isinstance(one, packs.Failed)]
    if len(failed) == len(told) == 1:
        return int(failed[0].error.exit_code)
    lost = any(isinstance(one, packs.Failed) or one.newly_refused or one.conflicts for one in told)
    return ExitCode.LOSS if lost else ExitCode.OK
