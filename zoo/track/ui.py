"""Serves MLflow's pages of a run store, and knows the address of a sweep's page."""

from __future__ import annotations

from zoo.errors import StateError
from zoo.store.run_store import Store
from zoo.track import server
from zoo.track.backend import artifact_root, connect, describe, path_of
from zoo.track.shared_view import VIEW_NAME


def serve(store: Store, port: int, host: str = "127.0.0.1", name: str | None = None) -> int:
    """Run the MLflow server on the run store until it is stopped; prints its address.

    Args:
        name: a sweep, whose page is printed.

    Returns:
        The server's exit status; 0 after Ctrl-C.

    Raises:
        InputError: nothing was recorded yet, or the port is taken.
        StateError: MLflow cannot open the store.
    """
    uri = store.mlflow_uri
    file = path_of(uri)
    if file is not None and file.is_file():
        try:
            connect(store, uri)
        except OSError:
            raise  # of the run store's place
        except Exception as error:
            raise StateError(
                f"MLflow cannot open {uri} ({describe(error)}); the run folders are not affected: "
                "the file can be moved away, `zoo sync NAME` makes it anew from them"
            ) from error
    return server.run(
        uri,
        artifact_root(store).as_uri(),
        port,
        host,
        lambda: experiment_path(store, uri, name) if name else "",
    )


def experiment_path(store: Store, uri: str, name: str) -> str:
    """The part of a page's address that opens a sweep's runs; empty where MLflow has none of it, or
    does not answer."""
    try:
        found = connect(store, uri).get_experiment_by_name(name)
    except Exception:
        return ""
    if found is None:
        return ""
    page = f"/#/experiments/{found.experiment_id}/runs?viewStateShareKey={VIEW_NAME}"
    return f"{page}&workflowType=machine_learning"  # else MLflow's menu is the one of GenAI
