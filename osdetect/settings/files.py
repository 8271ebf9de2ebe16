"""Settings files: where they are, what they say, and on which line."""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from platformdirs import user_config_path

from osdetect.errors import UsageError
from osdetect.settings.known import BY_NAME, Kind, Setting
from osdetect.source import SourceText

NAME = "osdetect.toml"
_LARGEST = 1 << 20
_TYPES: Mapping[Kind, tuple[type, ...]] = {
    Kind.TEXT: (str,),
    Kind.PATH: (str,),
    Kind.NUMBER: (int, float),
    Kind.TEXTS: (list,),
}


class Said(msgspec.Struct, frozen=True):
    """What a file says of one setting."""

    setting: Setting
    value: str
    """As the environment would say it; of a list, one item a line."""
    section: str
    """`profile.NAME`; empty: the top of the file."""
    line: int


class SettingsFile(msgspec.Struct, frozen=True):
    """A settings file that was read and checked."""

    path: Path
    of_project: bool
    """It was found by the working directory, so whoever wrote what is there wrote it."""
    said: tuple[Said, ...]
    profiles: tuple[str, ...]

    def find(self, name: str, profile: str) -> Said | None:
        """What holds of a setting under a profile: the profile's section wins over the top.

        A profile with a URL of its own takes no credentials from the top: those belong to the URL there.
        """
        section = f"profile.{profile}"
        found = {one.section: one for one in self.said if one.setting.name == name}
        if section in found:
            return found[section]
        own_url = any(one.section == section and one.setting.name == "url" for one in self.said)
        return None if own_url and BY_NAME[name].credential else found.get("")


def user_file() -> Path:
    """Where the user's own settings file is, whether it is there or not."""
    return user_config_path("osdetect", appauthor=False) / NAME


def project_file() -> Path | None:
    """The nearest osdetect.toml from the working directory upwards; None if there is none."""
    try:
        start = Path.cwd()
    except FileNotFoundError:  # it was deleted under us
        return None
    own = user_file()
    return next(
        (file for folder in (start, *start.parents) if (file := folder / NAME).is_file() and file != own),
        None,
    )


def read(path: Path, *, of_project: bool) -> SettingsFile | None:
    """The file's settings; None when there is no such file.

    Raises:
        UsageError: it cannot be read, is no TOML, or says something that it cannot say.
    """
    try:
        state = path.stat()
        return _read(path, of_project, state.st_mtime_ns, state.st_size) if path.is_file() else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(
            f"the settings file {path} cannot be read",
            cause=error.strerror or str(error),
            cure="check its rights",
        ) from None


@lru_cache(maxsize=16)
def _read(path: Path, of_project: bool, _changed: int, size: int) -> SettingsFile:
    if size > _LARGEST:
        raise UsageError(f"the settings file {path} is larger than 1 MB", cure="it is to hold settings only")
    try:
        text = path.read_bytes().decode("utf-8-sig")
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        # No excerpt: the line may hold a secret.
        line = re.search(r"at line (\d+)", str(error))
        where = SourceText(str(path), "").where(int(line[1]) if line else 0)
        raise UsageError("the settings file is no TOML", cause=_no_values(error), where=where) from None
    reader = _Reader(path, text, of_project)
    said = tuple(reader.settings(content))
    profiles = content.get("profile")
    return SettingsFile(path, of_project, said, tuple(profiles) if isinstance(profiles, dict) else ())


def _no_values(error: Exception) -> str:
    return str(error) if isinstance(error, tomllib.TOMLDecodeError) else type(error).__name__


class _Reader(msgspec.Struct, frozen=True):
    path: Path
    text: str
    of_project: bool

    def settings(self, content: Mapping[str, Any]) -> Iterator[Said]:
        for name, value in content.items():
            if name == "profile":
                if not isinstance(value, dict):
                    raise self._wrong("profile is no section", "", name, "write [profile.NAME]")
                for profile, section in value.items():
                    if not isinstance(section, dict):
                        raise self._wrong(
                            f"profile.{profile} is no section", "", name, f"write [profile.{profile}]"
                        )
                    for inner, said in section.items():
                        yield self._said(f"profile.{profile}", inner, said)
            else:
                yield self._said("", name, value)

    def _said(self, section: str, name: str, value: Any) -> Said:
        setting = BY_NAME.get(name)
        if setting is None:
            near = difflib.get_close_matches(name, BY_NAME, 1)
            cure = f"did you mean {near[0]}?" if near else "docs/settings.md lists the settings"
            raise self._wrong(f"there is no setting {name!r}", section, name, cure)
        if setting.secret:
            raise self._wrong(
                f"{name} may not stand in a settings file",
                section,
                name,
                f"keep it in a file of its own ({name}_file), in the keyring (keyring), or in ${setting.variable}",
            )
        if self.of_project and not setting.in_project:
            raise self._wrong(
                f"{name} may not stand in the settings file of a project",
                section,
                name,
                f"set it in {user_file()}, or ${setting.variable}: a project's file must not lead secrets elsewhere, "
                "weaken a connection, or choose files and programs",
            )
        if not isinstance(value, _TYPES[setting.kind]) or isinstance(value, bool):
            raise self._wrong(f"{name} is not {setting.kind.value}", section, name, "see docs/settings.md")
        try:
            return Said(setting, self._text(setting, value), section, self.line(section, name))
        except RuntimeError as error:  # ~SOMEBODY, of whom nothing is known
            raise self._wrong(
                f"the path of {name} cannot be read: {error}", section, name, "write it whole"
            ) from None

    def _text(self, setting: Setting, value: Any) -> str:
        if setting.kind is Kind.PATH and value:
            return str(self.path.parent / Path(value).expanduser())
        return "\n".join(map(str, value)) if setting.kind is Kind.TEXTS else str(value)

    def _wrong(self, what: str, section: str, name: str, cure: str) -> UsageError:
        where = SourceText(str(self.path), "").where(self.line(section, name))
        return UsageError(what, cure=cure, where=where)

    def line(self, section: str, name: str) -> int:
        """The line on which a section says a setting; 0 when it is written in a way that is not looked for."""
        wanted = re.compile(rf"\s*(?:{re.escape(name)}|\"{re.escape(name)}\"|'{re.escape(name)}')\s*=")
        current = ""
        for number, line in enumerate(self.text.split("\n"), 1):
            if header := re.match(r"\s*\[([^\[\]]+)\]", line):
                current = header[1].strip().replace('"', "").replace("'", "")
            elif current == section and wanted.match(line):
                return number
        return 0
