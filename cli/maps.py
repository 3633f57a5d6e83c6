"""The site's map: built once from its OSM extract, kept in the data folder."""

from __future__ import annotations

from cli.site import Site, SiteError
from dispatch import roads
from dispatch.eta import GreatCircle, Router


def prepare(site: Site) -> None:
    """Builds the road graph and the base map when they are not there or the extract has changed."""
    if site.osm is None:
        return
    try:
        roads.build(site.osm, site.layout.map)
    except roads.MapError as error:
        raise SiteError(f"{site.path}: [map] osm: {error}") from error


def router(site: Site) -> Router:
    """Roads where there is a map; else great circles, which say that they are degraded."""
    return roads.Roads.load(site.layout.map) if site.osm is not None else GreatCircle()
