"""`osdetect config`: which settings hold, and who said them."""

import re
from typing import Any

import typer

from osdetect.cli.options import Output
from osdetect.cli.output import OutputFormat, print_json, print_table, write_line
from osdetect.settings import Found, everything, layers, project_file, user_file

app = typer.Typer(help="The settings: which hold, and who said them.", no_args_is_help=True)
MASKED = "********"
_MAY_BE_URL = re.compile("url|mirror")


@app.callback()
def _group() -> None:
    """Keeps `show` a command of its own, though it is the only one."""


@app.command()
def show(output: Output = OutputFormat.TABLE) -> None:
    """Show each setting, its value with secrets masked, and where it comes from.

    Examples: `osdetect config show` · `osdetect --profile production config show --output json`
    """
    found, held = everything(), layers()
    project = project_file()
    if output is OutputFormat.JSON:
        print_json(
            {
                "profile": held.profile,
                "project_file": str(project) if project else None,
                "user_file": str(user_file()) if held.user else None,
                "settings": [_json(one) for one in found],
            }
        )
        return
    rows = [
        (one.setting.name, shown(one) or one.setting.default, one.place or one.origin.value) for one in found
    ]
    print_table("", ("setting", "value", "from"), rows)
    write_line(f"profile: {held.profile or 'none'}")
    write_line(f"project file: {project or 'none'}")
    write_line(f"user file: {user_file()}{'' if held.user else ' (not there)'}")


def shown(found: Found) -> str:
    """The value as it may be seen by anyone: no secret, and no user and password of a URL."""
    if found.setting.secret and found.value:
        return MASKED
    if not _MAY_BE_URL.search(found.setting.name):
        return found.value
    return "\n".join(map(_without_user, found.value.split()))


def _without_user(url: str) -> str:
    """Whatever stands before the last `@` may be a user and a password, also where the rest is no URL."""
    scheme = re.match("[a-z]+://", url, re.IGNORECASE)
    before, at, host = url.rpartition("@")
    return f"{scheme[0] if scheme else ''}{MASKED}@{host}" if at and before else url


def _json(one: Found) -> dict[str, Any]:
    return {
        "name": one.setting.name,
        "variable": one.setting.variable,
        "value": shown(one) or None,
        "default": one.setting.default or None,
        "origin": one.origin.value,
        "place": one.place,
    }
