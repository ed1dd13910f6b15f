"""Where a database is: a URL, what of it may be shown, and connections to it.

The URL is libpq's, and so is what it leaves open: PGHOST, PGUSER, PGPASSWORD, PGSERVICE, ~/.pgpass and the other
variables and files of that library fill it in. The password is in no text that this module makes.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from treemill.errors import SettingsError
from treemill.storage.postgres.explaining import unreachable
from treemill.values import dataclass

Connection = psycopg.Connection[tuple[Any, ...]]

# What holds unless the URL says otherwise: a server that has gone is noticed within a minute.
_DEFAULTS: dict[str, str | int] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "application_name": "treemill",
}

_EXAMPLE = "It looks like postgresql://user@host:5432/database, with the password in PGPASSWORD or ~/.pgpass"

_ESCAPES = "In a user or password, write @ as %40, / as %2F, : as %3A, ? as %3F, # as %23 and % as %25"


@dataclass(frozen=True, slots=True)
class Address:
    """A database. `shown` is how messages call it, `url` what leads there, with everything that is secret."""

    url: str = field(repr=False)
    shown: str

    def __str__(self) -> str:
        return self.shown


def address_of(url: str) -> Address:
    """Return the address behind a URL.

    Raises:
        SettingsError: it is none; the message does not repeat it.
    """
    try:
        parts = conninfo_to_dict(url)
    except (psycopg.Error, ValueError):
        raise SettingsError("the URL of the store cannot be read", suggestion=_EXAMPLE) from None
    if not url.startswith(("postgresql://", "postgres://")):
        raise SettingsError("the URL of the store is not one of PostgreSQL", suggestion=_EXAMPLE)
    places = (str(parts.get(name) or "") for name in ("host", "user", "dbname"))
    if any(set(place) & set("@?#") for place in places) or not re.fullmatch(r"[\d,]*", str(parts.get("port") or "")):
        # Where a password has such characters, the library takes a part of it for something that may be shown.
        raise SettingsError("the URL of the store cannot be read", suggestion=_ESCAPES)
    user = f"{parts['user']}@" if parts.get("user") else ""
    host = str(parts.get("host") or parts.get("hostaddr") or "")
    port = f":{parts['port']}" if parts.get("port") else ""
    place = f"{user}{host}{port}/{parts.get('dbname') or ''}"
    if parts.get("service"):
        place += f"?service={parts['service']}"
    return Address(url, f"postgresql://{place}")


def connect(address: Address) -> Connection:
    """Open a connection, in autocommit mode, for use from any one thread at a time; values come in binary.

    Raises:
        StorageError: there is no such server, it does not let this user in, or has no such database.
    """
    given = conninfo_to_dict(address.url)
    options: dict[str, Any] = {name: value for name, value in _DEFAULTS.items() if name not in given}
    try:
        connection = psycopg.connect(address.url, autocommit=True, client_encoding="UTF8", **options)
    except psycopg.Error as error:
        raise unreachable(error, address.shown) from None
    return connection


def query(connection: Connection, text: str, values: Any = None) -> psycopg.Cursor[tuple[Any, ...]]:
    """Run a statement, its results in binary."""
    return connection.execute(text.encode(), values, binary=True)
