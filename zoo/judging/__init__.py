"""From run folders to verdicts: `values` and `problem_scores` read, `numbers` and `effects` compare
cells, `judge` decides claims, and `answer` combines them for the terminal, the page and the
CSV files alike. Reads the run store and the manifest; draws and writes nothing.
"""
