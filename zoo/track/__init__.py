"""The MLflow mirror of the run store: payloads, client, server and its database."""
