"""Log lines: readable on a terminal, JSON elsewhere; one set-up for structlog's and the standard loggers.

A line about a payment carries `payment_id`, bound with `about`. No amounts, names or accounts are logged.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

import structlog

_SHARED: Final[tuple[Any, ...]] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
)


def set_up(level: str = "info", format: str = "auto", stream: TextIO | None = None) -> None:
    """Send every log line from `level` up to `stream` (standard error), as text or as JSON lines.

    `format` is `text`, `json` or `auto`: text where the stream is a terminal. Repeating it replaces what was
    set up before. In a process actor call it after `processes.enter`, which points standard error to the
    process's own file.
    """
    stream = stream or sys.stderr
    text = format == "text" or (format == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_ending(text, stream)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a logger made before a process is forked follows the new set-up
    )


@contextmanager
def about(payment_id: str) -> Iterator[None]:
    """Bind `payment_id` to every line logged inside; the empty id (no payment) binds nothing."""
    if not payment_id:
        yield
        return
    with structlog.contextvars.bound_contextvars(payment_id=payment_id):
        yield


def _ending(text: bool, stream: TextIO) -> list[Any]:
    if text:
        return [
            structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(sort_keys=False)]
