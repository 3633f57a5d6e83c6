"""How logs look: one JSON event a line in a child's log file, short coloured lines on a terminal. Events, not prose."""

from __future__ import annotations

import logging
import sys

import structlog

from cli.secrets import redact_event

_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    redact_event,
]


def to_terminal() -> None:
    structlog.configure(
        processors=[*_SHARED, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def to_file() -> None:
    """For children: their standard error is their log file."""
    structlog.configure(
        processors=[*_SHARED, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format='{"level":"%(levelname)s","event":"%(name)s: %(message)s"}'
    )
