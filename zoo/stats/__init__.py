"""Statistics of a study: numbers in, numbers out, in pure Python.

`contrasts` estimates differences between cells with an interval, `rates` differences between shares
of trials; `verdicts` decides claims from them, `looks` the same where seeds are added in steps.
`power` and `noise` compute before a study what its seeds can detect. `quantiles` and `special` are
the distributions, `samples` and `descriptive` the descriptive statistics.

Independent of manifests, trials and files; imports nothing of zoo.
"""
