"""From cards to problems and model folders, with digests by content. Light until a parquet file is
read.
"""

from zoo.data.problems import Problem, load, render
from zoo.data.resolve import LocalResolver, model_folder

__all__ = ["LocalResolver", "Problem", "load", "model_folder", "render"]
