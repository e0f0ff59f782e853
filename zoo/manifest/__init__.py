"""The form of a manifest: schema, loading, overrides, claims as they are written, and its JSON
Schema. Light: pydantic and pyyaml."""
