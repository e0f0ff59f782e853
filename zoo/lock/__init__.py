"""The state that a sweep started with: its trials, which fields of their identities changed since,
and which claims were registered before any result."""
