"""Load tests of a whole station: `script/bench`. They measure; they never judge a test run."""
