"""The broadcast directory: who subscribes to what, the log that subscriptions read, reactions as data."""
