"""Drawing: numbers in, SVG and PDF out.

`scene` has the shapes, `plots` draws panels of numbers, `layout` arranges panels, `svg` and `pdf`
write the result. Independent of studies: no trial, no metric, no file. Same numbers, same bytes.
"""
