"""The compiled engine for processors: kernels in Python and LLVM IR, compiled by numba for the processor they run on.

Matrices are float32, (row, unit) with one row per example, and contiguous. Every width is padded with zeros to a
multiple of `vectors.LANES`; padding stays zero through every kernel. Kernels use only additions, multiplications,
divisions, square roots and fused multiply-adds, which IEEE 754 rounds in exactly one way, and every sum has one stated
order. So a result has the same bits on every processor.
"""
