"""What a study file says: parsed, validated once, frozen."""
