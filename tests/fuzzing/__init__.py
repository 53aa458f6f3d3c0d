"""Damaged and hostile files by the thousand: `python -m fuzzing.run` and a short test."""
