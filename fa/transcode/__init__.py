"""From a recipe to a verified file: presets, probe, plan, child process, acceptance check."""
