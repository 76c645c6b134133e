"""One thread a process: tests run beside each other, and small matrices only lose by more."""

import os

os.environ["OMP_NUM_THREADS"] = "1"
