"""The figures of a study: curves over rounds, pass@k, effects and interactions, numbered in the
order of the page and written as SVG, PDF and CSV. `zoo.figures` draws them.
"""
