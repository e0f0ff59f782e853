"""From run folders to answers: `values`, `judge` and `effects` decide claims, `answer` puts them
together for the terminal, the page and the CSV files alike; `collect` reads, `page` writes one HTML
file with its CSV files, `terminal` prints a table.

Knows the run store and the manifest; knows neither training nor orchestration.
"""
