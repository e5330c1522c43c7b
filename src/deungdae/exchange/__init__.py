"""North doors: one file speaks one standard to the world outside."""
