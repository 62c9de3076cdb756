"""Numbers and findings out of a workspace: plain tables that every figure and every sentence is made from.

Nothing here trains, draws or reads a data set. Arrays are NumPy; `None` stands for what is not known.
"""
