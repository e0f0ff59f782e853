"""Plans, standings and grades as terminal text and as JSON; a sweep's report as page and table."""
