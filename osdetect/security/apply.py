"""Makes what was planned so: roles first, then users, then who has which role."""

from collections.abc import Callable, Iterable

from osdetect.security.api import USERS, SecurityApi
from osdetect.security.password import new_password, password_in
from osdetect.security.plan import Change, Step


def applied(
    api: SecurityApi, changes: Iterable[Change], on_change: Callable[[Change], None]
) -> tuple[Change, ...]:
    """Do what is to be done; what was done, in order. Killed anywhere, the next time does the rest.

    A password is in its file before the cluster knows it, so none is ever lost.

    Raises:
        ClusterError: the plugin did not take something.
        OutputError: a password's file cannot be written.
    """
    done = []
    for change in changes:
        if change.step is Step.NONE:
            continue
        body = dict(change.body)
        if change.kind == USERS and change.password_file is not None:
            body["password"] = password_in(change.password_file) or new_password(change.password_file)
        api.put(change.kind, change.name, body)
        on_change(change)
        done.append(change)
    return tuple(done)
