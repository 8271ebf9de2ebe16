"""Our roles, their mappings and their users in a cluster: what is to change, and changing it.

`planned` compares the role files with what the security plugin holds, `applied` makes it so. Nothing that osdetect did not
make is changed, and no password is ever shown.
"""

from osdetect.security.api import SecurityApi
from osdetect.security.apply import applied
from osdetect.security.plan import Change, Step, Wish, planned
from osdetect.security.standing import Standing, standing

__all__ = ["Change", "SecurityApi", "Standing", "Step", "Wish", "applied", "planned", "standing"]
