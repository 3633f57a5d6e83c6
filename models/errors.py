"""What can go wrong with a model, said so that the person who meets it knows what to do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class ModelError(Exception):
    """Any of the below."""


class BadManifest(ModelError):
    """models/manifest.toml says something that is not allowed. The message names the model and the key."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"models/manifest.toml: {where}: {problem}")


class UnknownModel(ModelError):
    """A name that the manifest does not have."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no model {name!r}. The manifest has: {', '.join(known)}. Choose one of them in [detector].")


class ModelMissing(ModelError):
    """No source has the file."""

    def __init__(self, name: str, looked_at: Iterable[str], remedy: str) -> None:
        places = "".join(f"\n  - {place}" for place in looked_at) or " nowhere"
        super().__init__(f"The model {name!r} is not on this machine. Looked at:{places}\n{remedy}")


class WrongHash(ModelError):
    """A file is there, but it is not the model. It is refused and left where it is."""

    def __init__(self, name: str, path: Path, found: str, expected: Iterable[str]) -> None:
        self.path, self.found, self.expected = path, found, tuple(expected)
        wanted = " or ".join(self.expected)
        super().__init__(
            f"{path} is not the model {name!r}: its sha256 is {found}, the manifest accepts {wanted}. "
            f"The file was not loaded. Replace it with the original, or take it away."
        )


class FetchFailed(ModelError):
    """A download did not bring the model. Nothing was left behind."""

    def __init__(self, name: str, url: str, problem: str) -> None:
        super().__init__(
            f"The model {name!r} could not be fetched from {url}: {problem}. "
            f"Check this machine's way out to the network, or copy the file by hand into models/ of the assets folder "
            f"(CALLOUT_ASSETS)."
        )


class ModelRefused(ModelError):
    """The file is the manifest's, yet it does not do what the manifest (or the closed vocabulary) says."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"The model {name!r} was not loaded: {problem}")
