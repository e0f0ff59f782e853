"""Statistics of a study: numbers in, numbers out, in pure Python.

`contrasts` estimates differences between cells with an interval, `rates` differences between
shares of trials; `verdicts` decides claims from them, `looks` the same where seeds are bought in
steps. `power` and `noise` say before a study what its seeds can detect. `quantiles` and `special`
are the distributions underneath, `samples` and `descriptive` what is shown beside.

Knows no manifest, no trial and no file, and imports nothing of zoo.
"""
