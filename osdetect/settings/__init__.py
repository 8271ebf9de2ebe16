"""Settings: by command line over `OSDETECT_*` over the project's `osdetect.toml` over the user's own, and where secrets are.

`text` gives the value of one setting, `layers` all that there is; `trust` says to whom a secret may be sent.
"""

from osdetect.settings.files import project_file, user_file
from osdetect.settings.known import BY_NAME, SETTINGS, Kind, Setting
from osdetect.settings.layers import Found, Layers, Origin, choose_profile, everything, layers, text

__all__ = [
    "BY_NAME",
    "SETTINGS",
    "Found",
    "Kind",
    "Layers",
    "Origin",
    "Setting",
    "choose_profile",
    "everything",
    "layers",
    "project_file",
    "text",
    "user_file",
]
