"""The algorithms: one literal table, in which one row is one paper. Your own is a row, or your own functions."""

from agentrl.learning.algorithms.choose import algorithm
from agentrl.learning.algorithms.row import Algorithm, Part
from agentrl.learning.algorithms.table import ALGORITHMS

__all__ = ["ALGORITHMS", "Algorithm", "Part", "algorithm"]
