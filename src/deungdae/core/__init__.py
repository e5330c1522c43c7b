"""The vocabulary of the house: six nouns, five ports, clock, units, registry, errors."""
