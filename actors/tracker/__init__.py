"""The Tracker: observes every payment and coordinates none."""
