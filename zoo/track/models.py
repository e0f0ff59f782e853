"""Carries a trial's checkpoints and data sets to MLflow, as its models and data sets.

A model is found by its tag before one is made, since MLflow makes a second one of the same name.
Weights stay where they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zoo.track.checkpoint_pages import KEY_TAG, CheckpointPage, DataUse

BATCH = 500


class ModelPages:
    """The models of one experiment of MLflow."""

    def __init__(self, client: Any, experiment_id: str) -> None:
        self._client, self._experiment = client, experiment_id
        self._known: dict[str, tuple[str, str]] | None = None
        """Key -> id of the model, and of the run that made it."""

    def send_data(self, run_id: str, uses: Iterable[DataUse]) -> None:
        """Data sets as inputs of a run; what it has already is not added again."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        inputs = [
            DatasetInput(
                Dataset(use.name, use.digest, "zoo", use.about),
                [InputTag("mlflow.data.context", use.context)],
            )
            for use in uses
        ]
        self._client.log_inputs(run_id, datasets=inputs)

    def send_models(self, run_id: str, pages: Iterable[CheckpointPage]) -> None:
        """Checkpoints of a run: the base as input, the final one as output, with their numbers.

        The base model's numbers are sent with the run that made its page, so that it has each once.
        """
        from mlflow.entities import LoggedModelInput, LoggedModelOutput

        run = self._client.get_run(run_id)
        linked = {one.model_id for one in (run.inputs.model_inputs if run.inputs else [])}
        linked |= {one.model_id for one in (run.outputs.model_outputs if run.outputs else [])}
        for page in pages:
            id_, source = self._model(run_id, page)
            if source == run_id:
                self._send_points(run_id, id_, page)
            if id_ in linked:
                continue
            if page.role == "base":
                self._client.log_inputs(run_id, models=[LoggedModelInput(id_)])
            else:
                self._client.log_outputs(run_id, [LoggedModelOutput(id_, page.round)])

    def delete_of(self, run_id: str) -> None:
        """Put away the final checkpoints of a run that was superseded."""
        query = f"source_run_id = '{run_id}'"
        for model in self._search(query):
            if model.tags.get(KEY_TAG, "").startswith("final:"):
                self._client.delete_logged_model(model.model_id)

    def _model(self, run_id: str, page: CheckpointPage) -> tuple[str, str]:
        """Id of a page's model and of the run that made it; makes it where there is none."""
        if self._known is None:
            self._known = {}
            for model in self._search(None):
                key = model.tags.get(KEY_TAG)
                if key is not None:
                    self._known.setdefault(key, (model.model_id, model.source_run_id or ""))
                    self._ready(model)
        if page.key not in self._known:
            made = self._client.create_logged_model(
                self._experiment,
                name=page.name,
                source_run_id=run_id,
                tags=page.tags,
                params=page.params,
                model_type=f"{page.role} checkpoint",
            )
            self._ready(made)
            self._known[page.key] = (made.model_id, run_id)
        return self._known[page.key]

    def _ready(self, model: Any) -> None:
        if str(model.status) != "READY":
            self._client.finalize_logged_model(model.model_id, "READY")

    def _search(self, query: str | None) -> Iterable[Any]:
        token = None
        while True:
            page = self._client.search_logged_models(
                [self._experiment], filter_string=query, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return

    def _send_points(self, run_id: str, model_id: str, page: CheckpointPage) -> None:
        from mlflow.entities import Metric

        metrics = [
            Metric(
                point.name,
                point.value,
                point.time_ms,
                point.step,
                model_id=model_id,
                dataset_name=use and use.name,
                dataset_digest=use and use.digest,
            )
            for point, use in page.points
        ]
        for start in range(0, len(metrics), BATCH):
            self._client.log_batch(run_id, metrics=metrics[start : start + BATCH])
