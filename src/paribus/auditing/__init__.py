"""Which labels are wrong, and how sure one can be: an audit plans a study, and reads what it recorded."""
