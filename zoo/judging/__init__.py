"""From run folders to verdicts: `values` and `problem_scores` read, `numbers` and `effects` compare
cells, `judge` decides claims, and `answer` puts them together for the terminal, the page and the
CSV files alike. Knows the run store and the manifest; draws and writes nothing.
"""
