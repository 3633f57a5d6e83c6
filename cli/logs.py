"""How logs look: one JSON event a line in a child's log file, short coloured lines on a terminal. Events, not prose."""

from __future__ import annotations

import json
import logging
import sys

import structlog

from cli.secrets import redact, redact_event

_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,  # before redaction: an exception's text may hold a camera's address
    redact_event,
]


class _JsonLine(logging.Formatter):
    """What libraries log, in the form of our own events."""

    def format(self, record: logging.LogRecord) -> str:
        event = {"level": record.levelname.lower(), "event": record.name, "message": redact(record.getMessage())}
        if record.exc_info:
            event["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(event, ensure_ascii=False)


def to_terminal() -> None:
    colours = sys.stderr.isatty()
    structlog.configure(
        processors=[
            *_SHARED,
            structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def to_file() -> None:
    """For children: their standard error is their log file."""
    structlog.configure(
        processors=[*_SHARED, structlog.processors.JSONRenderer(ensure_ascii=False)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLine())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
