"""What a sweep came to, as plain values: `collect` reads it once with its answer, `view` gives
rows, cells and texts, `answer_csv` the tables of the answer, `format` numbers as text.

The page, the figures, the terminal and data frames take it from here, so that all show the same.
"""
