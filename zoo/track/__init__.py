"""What happened: the run store, records, journals, the software stack, and the MLflow mirror.

The run directory is the truth; everything else (Ray, MLflow, reports) can be lost and rebuilt from
it.
"""
