"""From a manifest to trials: schema, loading, expansion, identity, lock. Light: pydantic and
pyyaml, nothing else."""

from zoo.manifest.expand import expand
from zoo.manifest.load import Manifest, load
from zoo.manifest.names import Resolver
from zoo.manifest.schema import Experiment
from zoo.manifest.trial import Evaluation, Trial

__all__ = ["Evaluation", "Experiment", "Manifest", "Resolver", "Trial", "expand", "load"]
