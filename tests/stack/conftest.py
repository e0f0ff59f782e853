"""An MLflow store to copy, and torch on one thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated store; making one takes seconds, copying it does not."""
    from zoo.store.run_store import Store
    from zoo.track.backend import connect

    store = Store(tmp_path_factory.mktemp("empty"))
    connect(store, store.own_mlflow_uri)
    file = store.root / "mlflow.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Threads of so small a model only wait for one another."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
