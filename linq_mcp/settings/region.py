"""The time zone and the country that the operator sets, or else the computer's time zone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from linq_mcp.region import Region

TIME_ZONE_VARIABLE = "LINQ_MCP_TIME_ZONE"
COUNTRY_VARIABLE = "LINQ_MCP_COUNTRY"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")


def read_region(
    value: Callable[[str], str | None], refuse: Callable[[str], None], *, use_computers_zone: bool
) -> Region:
    """Read the variables by `value`; `refuse` is called with each one whose value can't be used.

    Without a time zone it is the computer's if `use_computers_zone`, as that is the user's own, and otherwise UTC.
    """
    name = value(TIME_ZONE_VARIABLE)
    zone = _zone(name) if name else None
    if name and zone is None:
        refuse(TIME_ZONE_VARIABLE)
    country = (value(COUNTRY_VARIABLE) or "").upper()
    if country and not re.fullmatch("[A-Z]{2}", country):
        refuse(COUNTRY_VARIABLE)
        country = ""
    # The code of the United Kingdom is GB, but few people say so.
    country = "GB" if country == "UK" else country
    return Region(zone or (_computers_zone() if use_computers_zone else UTC), country or None)


def _zone(name: str) -> tzinfo | None:
    if name.upper() in ("UTC", "Z", "GMT"):
        return UTC
    name = name.replace(" ", "_")
    try:
        # Other text would be a path.
        return ZoneInfo(name) if _NAME.fullmatch(name) else None
    except (LookupError, ValueError, OSError):
        # Linux tells capitals from small letters. Listing all names takes long.
        known = next((zone for zone in available_timezones() if zone.casefold() == name.casefold()), None)
        return ZoneInfo(known) if known else None


def _computers_zone() -> tzinfo:
    import tzlocal  # noqa: PLC0415 - a server whose time zone is set needs none

    try:
        zone = tzlocal.get_localzone()
    except (LookupError, ValueError, OSError):
        return UTC
    return UTC if str(zone) in ("UTC", "Etc/UTC") else zone
