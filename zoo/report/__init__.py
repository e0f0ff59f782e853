"""A sweep's report: `page` writes one HTML file with its figures, tables and CSV files, `markdown`
the same as text, `terminal` prints a table.

Shows what `zoo.findings` collected; knows neither training nor orchestration.
"""
