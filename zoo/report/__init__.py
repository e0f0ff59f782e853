"""What a sweep came to, as files: `collect` reads it once, `page` writes one HTML file with its
figures, tables and CSV files, `terminal` prints a table.

Knows the run store and the manifest; knows neither training nor orchestration.
"""
