"""How logs look: one JSON event a line in a child's log file, short coloured lines on a terminal. Events, not prose."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from typing import TextIO, cast

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


class _NeverRaises:
    """Standard error, on which a full disk or a terminal that has gone is no error: what is said is lost, who says it goes on.

    (An exception out of a log call would end the very task or thread that was about to try again.)"""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def _output() -> structlog.PrintLoggerFactory:
    return structlog.PrintLoggerFactory(cast("TextIO", _NeverRaises(sys.stderr)))


def to_terminal() -> None:
    colours = sys.stderr.isatty()
    structlog.configure(
        processors=[
            *_SHARED,
            structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_output(),
    )


def to_file() -> None:
    """For children: their standard error is their log file."""
    structlog.configure(
        processors=[*_SHARED, structlog.processors.JSONRenderer(ensure_ascii=False)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_output(),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLine())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
