"""From run folders to answers: `collect` reads, `render` writes one HTML file and one CSV, `text`
prints a table; `values`, `judge` and `effects` decide claims.

Knows the run store and the manifest; knows neither training nor orchestration.
"""
