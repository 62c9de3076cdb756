"""The report as a PDF, typeset by Typst: which block goes where, how wide a column is, what a picture looks like."""
