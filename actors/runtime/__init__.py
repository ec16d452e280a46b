"""The runtime: cells, turns, effects, timers, links, workers, supervision. It knows no payment."""
