"""The torture test: commands are killed, run out of disk space and are disturbed in other ways; nothing may be lost.

    python -m benchmarks.torture [--quick] [--kills N] [--seconds S]

Commands are forked from this one process, which has imported everything and holds the images, so that hundreds of them
take minutes. It must have a single thread when it forks, so OpenBLAS and MKL are limited to one before they load,
and the allocator of pyarrow, which scikit-learn imports by way of pandas, frees memory without a thread of its own.
"""

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", JE_ARROW_MALLOC_CONF="background_thread:false")
