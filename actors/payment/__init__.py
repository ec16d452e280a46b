"""Payment: the orchestrated payment process, as data (`workflow.py`), an engine for it, and its actors."""
