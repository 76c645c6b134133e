"""The acting half: tools, environments, engines, rollouts. Async, and free of torch but for two engines."""
