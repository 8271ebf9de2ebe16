"""`osdetect security`: our roles in a cluster whose security is on."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from osdetect import security
from osdetect.cli.connect import connect
from osdetect.cli.options import CaCerts, Insecure, Output, Url
from osdetect.cli.output import OutputFormat, print_json, print_table, write_line
from osdetect.errors import UsageError
from osdetect.schema.roles import Role, shipped_roles
from osdetect.security.api import MAPPINGS, ROLES, USERS
from osdetect.vocabulary import ExitCode

app = typer.Typer(help="Roles, and who has them, in a cluster whose security is on.", no_args_is_help=True)
_WORDS = {ROLES: "role", MAPPINGS: "role mapping", USERS: "user"}

Roles = Annotated[
    list[str] | None,
    typer.Argument(help="Which roles: detector, viewer, ...; default: all of them.", metavar="ROLE"),
]


@app.command()
def apply(
    roles: Roles = None,
    user: Annotated[
        list[str] | None,
        typer.Option(
            "--user", help="A user that is to have a role; may be given again.", metavar="ROLE=NAME"
        ),
    ] = None,
    backend_role: Annotated[
        list[str] | None,
        typer.Option(
            "--backend-role",
            help="A role of the directory, or an ARN of AWS, that is to have a role; may be given again.",
            metavar="ROLE=NAME",
        ),
    ] = None,
    passwords: Annotated[
        Path | None,
        typer.Option(
            "--passwords",
            help="Make a user for each role; its password is generated into a file of this folder, or taken from there.",
            metavar="FOLDER",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, with exit code 3 if anything would.")
    ] = False,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Make the roles of mappings/security/ in the cluster, and who has them; what is so already stays.

    Examples: `osdetect security apply --dry-run` · `osdetect security apply detector --backend-role detector=arn:aws:iam::111122223333:role/detect`
    """
    wish = security.Wish(_pairs("--user", user), _pairs("--backend-role", backend_role), passwords)
    with connect(url, ca_certs=ca_certs, insecure=insecure) as cluster:
        api = security.SecurityApi(cluster)
        changes = security.planned(api, _chosen(roles), wish)
        todo = [change for change in changes if change.step is not security.Step.NONE]
        tell = _nothing if output is OutputFormat.JSON else _tell
        if dry_run:
            for change in todo:
                tell(change)
        else:
            security.applied(api, changes, tell)
    if output is OutputFormat.JSON:
        print_json({"dry_run": dry_run, "changes": [change.to_json() for change in changes]})
    else:
        write_line(
            f"{len(todo)} {'to change' if dry_run else 'changed'}, {len(changes) - len(todo)} unchanged"
        )
    return ExitCode.CHANGES if dry_run and todo else ExitCode.OK


@app.command()
def show(
    roles: Roles = None,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Show for each of our roles whether the cluster has it as it should be, and who has it.

    Examples: `osdetect security show` · `osdetect security show detector --output json`
    """
    with connect(url, ca_certs=ca_certs, insecure=insecure) as cluster:
        standing = [security.standing(security.SecurityApi(cluster), role) for role in _chosen(roles)]
    if output is OutputFormat.JSON:
        print_json({"roles": [one.to_json() for one in standing]})
        return
    rows = [(one.name, one.state, ", ".join(one.users), ", ".join(one.backend_roles)) for one in standing]
    print_table("", ("role", "state", "users", "backend roles"), rows)
    for one in standing:
        for difference in one.differences:
            write_line(f"{one.name}: {difference}")


def _tell(change: security.Change) -> None:
    write_line(f"{change.step.value} {_WORDS[change.kind]} {change.name}")
    for difference in change.differences:
        write_line(f"  {difference}")


def _nothing(_change: security.Change) -> None:
    """JSON is written at the end."""


def _chosen(words: Sequence[str] | None) -> tuple[Role, ...]:
    known = {word: role for role in shipped_roles() for word in (role.word, role.name)}
    for word in words or ():
        if word not in known:
            raise UsageError(
                f"there is no role {word!r}",
                cure=f"ours are {', '.join(role.word for role in shipped_roles())}",
            )
    return tuple(dict.fromkeys(known[word] for word in words)) if words else shipped_roles()


def _pairs(option: str, said: Iterable[str] | None) -> dict[str, frozenset[str]]:
    """ROLE=NAME, several times, by the role's name."""
    found: dict[str, frozenset[str]] = {}
    for pair in said or ():
        word, equals, name = pair.partition("=")
        if not (equals and name):
            raise UsageError(
                f"{option} {pair!r} is not ROLE=NAME", cure=f"for example {option} detector=casey"
            )
        (role,) = _chosen([word])
        found[role.name] = found.get(role.name, frozenset()) | {name}
    return found
