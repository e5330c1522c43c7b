"""From findings to commands: one file is one decision, pure; the gate is the one way back."""
