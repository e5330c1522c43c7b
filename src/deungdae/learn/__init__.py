"""The AI platform, pure: data sets, splits, training, measures, the registry, drift."""
