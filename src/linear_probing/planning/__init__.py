"""What a study will cost before it is run: sizes, seconds, jobs, and how they compare with what was measured."""
