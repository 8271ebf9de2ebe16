"""What holds: command line over environment over the project's file over the user's own."""

import difflib
import os
from enum import StrEnum

import msgspec

from osdetect.errors import UsageError
from osdetect.settings.files import Said, SettingsFile, project_file, read, user_file
from osdetect.settings.known import BY_NAME, PROFILE_VARIABLE, SETTINGS, Setting


class Origin(StrEnum):
    """Who said a setting, the strongest first."""

    COMMAND_LINE = "command line"
    ENVIRONMENT = "environment"
    PROJECT = "project file"
    USER = "user file"
    DEFAULT = "default"

    @property
    def rank(self) -> int:
        """0 for the strongest."""
        return list(Origin).index(self)


class Found(msgspec.Struct, frozen=True):
    """A setting's value, and who said it."""

    setting: Setting
    value: str
    """Empty: nobody said it."""
    origin: Origin
    place: str = ""
    """The variable, or the file with line and profile."""

    def __repr__(self) -> str:
        """Without the value, which may be a secret."""
        return f"Found({self.setting.name}, {self.origin.value}, {self.place})"

    def __bool__(self) -> bool:
        return bool(self.value)


class Layers(msgspec.Struct, frozen=True):
    """The settings files as they are now, and the profile that is chosen."""

    project: SettingsFile | None
    user: SettingsFile | None
    profile: str

    def find(self, name: str, given: object = None) -> Found:
        """What holds of a setting; `given` is the command line's, None when it says nothing."""
        setting = BY_NAME[name]
        if given is not None:
            return Found(setting, str(given), Origin.COMMAND_LINE)
        if value := os.environ.get(setting.variable, ""):
            return Found(setting, value, Origin.ENVIRONMENT, setting.variable)
        for file, origin in ((self.project, Origin.PROJECT), (self.user, Origin.USER)):
            said = file.find(name, self.profile) if file else None
            if file and said:
                return Found(setting, said.value, origin, _place(file, said))
        return Found(setting, "", Origin.DEFAULT)

    def of_user(self, name: str) -> str:
        """What the user's own file says, whatever is said elsewhere."""
        said = self.user.find(name, self.profile) if self.user else None
        return said.value if said else ""


def _place(file: SettingsFile, said: Said) -> str:
    place = f"{file.path}:{said.line}" if said.line else str(file.path)
    return f"{place} [{said.section}]" if said.section else place


def choose_profile(name: str) -> None:
    """Take this profile from now on, also in the processes that are started."""
    os.environ[PROFILE_VARIABLE] = name


def layers() -> Layers:
    """The settings as the environment and the files say them now.

    Raises:
        UsageError: a file cannot be used, or the profile is in none of them.
    """
    found = project_file()
    project = read(found, of_project=True) if found else None
    user = read(user_file(), of_project=False)
    profile = os.environ.get(PROFILE_VARIABLE, "")
    known = [name for file in (project, user) if file for name in file.profiles]
    if profile and profile not in known:
        near = difflib.get_close_matches(profile, known, 1)
        raise UsageError(
            f"there is no profile {profile!r}",
            cause=f"known are {', '.join(sorted(set(known)))}"
            if known
            else f"no settings file has profiles: {user_file()}",
            cure=f"did you mean {near[0]}?"
            if near
            else "write [profile.NAME] into a settings file (docs/settings.md)",
        )
    return Layers(project, user, profile)


def text(name: str) -> str:
    """The value of one setting, empty when nobody says it.

    Raises:
        UsageError: as `layers`.
    """
    return layers().find(name).value


def everything() -> tuple[Found, ...]:
    """Every setting as it holds now.

    Raises:
        UsageError: as `layers`.
    """
    held = layers()
    return tuple(held.find(setting.name) for setting in SETTINGS)
