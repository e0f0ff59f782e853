"""Plans, standings and grades as terminal text and as JSON."""
