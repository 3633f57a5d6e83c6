"""What is wrong with a settings file, in words for the person who edits it."""

from __future__ import annotations


class ConfigError(Exception):
    """`where` is `file:line`; the message says what is wrong and what to do."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}")
        self.where = where
        self.message = message
