"""What a sweep started with: its trials, which fields of their identities changed since, and which
claims were registered before results were known."""
