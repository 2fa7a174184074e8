"""The worker pools: RQ workers that run thin jobs, which call the broker."""
