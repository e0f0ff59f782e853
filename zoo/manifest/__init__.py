"""From a manifest to trials: schema, loading, expansion, identity, lock. Light: pydantic and
pyyaml, nothing else."""
