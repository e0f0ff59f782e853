"""Run folders: layout, locks, records, journals, tables, and the software stack of a run."""
