"""Strict YAML with positions, and documents into pydantic models with every fault at its line."""
