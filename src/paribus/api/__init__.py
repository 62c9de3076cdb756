"""What `import paribus` offers: studies from objects, training with progress, results as data frames."""
