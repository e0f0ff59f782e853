"""Opens an MLflow store; where it is the run store's own sqlite file, mends it, too.

A full disk or a killed process can leave that file torn, or with half of its tables, and MLflow
then never opens it again. It is renamed and made anew: the run folders say all that was in it. A
store that `MLFLOW_TRACKING_URI` names is never touched so.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from zoo.store.run_store import Store, claim

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
"""How MLflow's client behaves unless the environment says otherwise. Its own retries take minutes.
"""
PARTS = ("", "-wal", "-shm")
DAMAGE = {
    sqlite3.SQLITE_ERROR,  # "table runs already exists": half of a schema
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_NOTADB,
}
"""What sqlite says of a file that is wrong. All else is of the place (full, locked, read-only)."""


def path_of(uri: str) -> Path | None:
    """The file of a `sqlite:///...` URI; None where it is of another kind."""
    scheme, _, rest = uri.partition(":///")
    return Path(unquote(rest.partition("?")[0])) if scheme.split("+")[0] == "sqlite" else None


def artifact_root(store: Store) -> Path:
    """Where artifacts lie beside a sqlite store."""
    return store.root / "mlartifacts"


def without_account(text: str) -> str:
    """A URI, or a text with URIs in it, without user names and passwords."""
    return re.sub(r"//[^/@\s]*@", "//", text)


def describe(error: Exception) -> str:
    """An error of MLflow on one line, with what to do where the server wants an account."""
    said = without_account(" ".join(str(error).split()))
    if cause := re.search(r"Max retries exceeded.*\(Caused by (\w+)", said):
        return f"the server does not answer ({cause[1]})"
    said = said[:300]
    status = getattr(error, "get_http_status_code", lambda: 0)()
    if status in (401, 403):
        said += "; MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD name the account"
    return f"{type(error).__name__}: {said}"


def connect(store: Store, uri: str) -> Any:
    """A client of an MLflow store; a sqlite file is made and migrated once, by whoever comes first.

    A damaged file is set aside and made anew where it is the run store's own.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for name in ("mlflow", "mlflow.store.db.utils", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    file, own = path_of(uri), uri == store.own_mlflow_uri
    if file is None:
        return MlflowClient(uri)
    with claim(artifact_root(store)):
        try:
            return _open(uri, file, check=own)
        except Exception as error:
            why = _damage(error, file) if own else None
            if why is None:
                raise
        return _make_anew(uri, file, why)


def _open(uri: str, file: Path, *, check: bool) -> Any:
    """A client of a sqlite store that works; MLflow makes or migrates it while nobody else does."""
    from mlflow import MlflowClient

    _prepare(file, check=check)
    client = MlflowClient(uri)
    client.search_experiments(max_results=1)
    return client


def _damage(error: Exception, file: Path) -> str | None:
    """What is wrong with a sqlite file that does not open; None where it is not the file, or where
    a newer MLflow made it."""
    if "out-of-date database schema" not in str(error):
        return _says_damage(error)
    import mlflow.store.db_migrations as migrations

    found = _revision(file)
    known = Path(str(migrations.__file__)).parent.glob(f"versions/{found}*.py")
    return f"its tables are of version {found}" if found is None or any(known) else None


def _make_anew(uri: str, file: Path, why: str) -> Any:
    """Set a damaged sqlite file aside and open a new one; where that fails as well, the old one is
    put back."""
    _let_go(uri)
    kept = _set_aside(file)
    try:
        client = _open(uri, file, check=False)
    except Exception:
        _let_go(uri)
        _move(kept, file)
        raise
    logging.getLogger("zoo").warning(
        "%s was damaged (%s) and is kept as %s; MLflow's pages are rebuilt from the run folders "
        "(`zoo sync NAME` brings back those of another sweep)",
        *(file, why, kept.name),
    )
    return client


def _let_go(uri: str) -> None:
    """Close MLflow's connections, which would go on with a file that was renamed."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    engines = SqlAlchemyStore._engine_map  # pyright: ignore[reportPrivateUsage]
    if (engine := engines.get(uri)) is not None:
        engine.dispose()


def _prepare(file: Path, *, check: bool) -> None:
    """Put the file into WAL mode, in which readers and writers do not block each other; makes it
    where there is none. `check`: look for torn pages, too.

    Raises:
        sqlite3.Error: it cannot be opened, or is damaged.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file, timeout=60)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        if check and (found := database.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            error = sqlite3.DatabaseError(found)
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error


def _says_damage(error: BaseException | None) -> str | None:
    """What an error says of damage to the file; None where it says none."""
    for cause in _causes(error):
        code = getattr(cause, "sqlite_errorcode", None)
        if isinstance(cause, sqlite3.Error) and code is not None and code & 0xFF in DAMAGE:
            return " ".join(str(cause).split())[:200]
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _revision(file: Path) -> str | None:
    """The version of the schema that the file claims to have."""
    try:
        with closing(sqlite3.connect(file, timeout=60)) as database:
            row = database.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:
        return None
    return row[0] if row else None


def _set_aside(file: Path) -> Path:
    """Rename the file and what belongs to it to `NAME.broken-N`; returns its new path."""
    names = (file.with_name(f"{file.name}.broken-{n}") for n in count(1))
    kept = next(name for name in names if not name.exists())
    _move(file, kept)
    return kept


def _move(file: Path, to: Path) -> None:
    """Rename a database with its parts; what lies at `to` is replaced."""
    for part in PARTS:
        to.with_name(to.name + part).unlink(missing_ok=True)
        beside = file.with_name(file.name + part)
        if beside.exists():
            beside.rename(to.with_name(to.name + part))
