"""The same contract through every face."""
