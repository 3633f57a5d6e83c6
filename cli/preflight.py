"""What is looked at before anything is started: the settings together with models, rules, plans and files.

What is wrong is told at once, with its file and line, and not by a child process that ends again and again.
"""

from __future__ import annotations

from pathlib import Path

from configs.errors import ConfigError
from configs.schema import Settings
from configs.settings import environment, resolve
from configs.toml_lines import Path as Key
from configs.toml_lines import key_lines, line_of
from dispatch import plan
from models import store
from vision.watch import Watch


def check_settings(path: Path, settings: Settings) -> None:
    """What the settings' types cannot say: zones, calibrations, skills, the map's file. Raises ConfigError."""
    lines = key_lines(path.read_text(encoding="utf-8"))

    def wrong(key: Key, why: str) -> ConfigError:
        return ConfigError(f"{path}:{line_of(lines, key)}", why)

    for index, camera in enumerate(settings.camera):
        try:
            Watch(camera)
        except ValueError as error:  # BadPolygon, BadCalibration: they name camera and zone
            raise wrong(("camera", index), str(error)) from None
    plans = plan.load()
    for index, unit in enumerate(settings.unit):
        plans.check_units([unit], f"{path}:{line_of(lines, ('unit', index, 'skills'))}")
    osm = resolve(path, settings.map.osm) if settings.map.osm else None
    if osm is not None and not osm.is_file():
        raise wrong(("map", "osm"), f"there is no file {osm}. Give the path of an OpenStreetMap extract (.osm.pbf)")


def check_models(settings: Settings) -> None:
    """The two models that the workers load are here and are the right ones. Raises ModelError."""
    assets = environment().assets
    for name in (settings.detector.model, settings.detector.faces):
        store.find(name, assets)
