"""Every setting: its name, its kind, and where it may stand."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

PREFIX = "OSDETECT_"


class Kind(StrEnum):
    """What a setting's value is."""

    TEXT = "a text"
    PATH = "the path of a file or folder"
    NUMBER = "a number"
    TEXTS = "a list of texts"


class Setting(msgspec.Struct, frozen=True):
    """One setting: `url` in a file, `OSDETECT_URL` in the environment."""

    name: str
    kind: Kind = Kind.TEXT
    default: str = ""
    """What holds without it, in words."""
    in_project: bool = False
    """Whether an osdetect.toml of the working directory may say it: nothing there may lead a secret elsewhere, take away
    protection, or say what program runs or what file is read."""
    credential: bool = False
    """It says who we are, and so belongs to the URL beside it."""
    secret: bool = False
    """A secret itself: it may stand in the environment only, and is never shown."""

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return PREFIX + self.name.upper()


SETTINGS = (
    Setting("url", default="the running embedded node", in_project=True),
    Setting("username", in_project=True, credential=True),
    Setting("password", credential=True, secret=True),
    Setting("password_file", Kind.PATH, credential=True),
    Setting("token", credential=True, secret=True),
    Setting("token_file", Kind.PATH, credential=True),
    Setting("keyring", credential=True),
    Setting("aws_service", in_project=True, credential=True),
    Setting("aws_region", default="AWS's own configuration", in_project=True),
    Setting("aws_profile", default="AWS's own choice", credential=True),
    Setting("ca_certs", Kind.PATH, default="the system's authorities"),
    Setting("client_cert", Kind.PATH, credential=True),
    Setting("client_key", Kind.PATH, credential=True),
    Setting("client_key_password", credential=True, secret=True),
    Setting("client_key_password_file", Kind.PATH, credential=True),
    Setting("timeout_s", Kind.NUMBER, default="60", in_project=True),
    Setting("retry_for_s", Kind.NUMBER, default="60", in_project=True),
    Setting("trusted_urls", Kind.TEXTS),
    Setting("user", default="the login name"),
    Setting("dashboards_url"),
    Setting("dashboards_tenant", default="global"),
    Setting("channels", Kind.PATH),
    Setting("cache_dir", Kind.PATH, default="the user's cache folder"),
    Setting("data_dir", Kind.PATH, default="the user's data folder"),
    Setting("node_heap_mb", Kind.NUMBER, default="512", in_project=True),
    Setting("node_user", default="nobody"),
    Setting("java_home", Kind.PATH, default="the Java of osdetect[embedded]"),
    Setting("maven_mirror"),
)
PROFILE_VARIABLE = PREFIX + "PROFILE"
"""Names the profile; so does `--profile`, which wins."""
BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}
