"""What every context of the broker speaks: errors, ids, time, priorities, event names."""
