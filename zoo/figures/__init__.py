"""Drawing: numbers in, SVG and PDF out.

`scene` has the shapes, `plots` makes panels of numbers, `layout` puts panels side by side, `svg`
and `pdf` write what comes out. Knows no study: no trial, no metric, no file. Same numbers, same
bytes.
"""
