"""The torture test: training is killed, starved and misled in every way that we know, and nothing may be lost.

    python -m benchmarks.torture [--quick] [--kills N] [--seconds S]

Lives of the real command line are forked from this one process, which has imported everything and holds the pictures,
so that hundreds of them take minutes. It must have a single thread when it forks: OpenBLAS, MKL and PyTorch are told so
before they load.
"""

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
