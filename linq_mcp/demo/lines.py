"""The three lines of the demo account: a clinic's, a housing agency's, and a shop's."""

from linq_mcp.demo.wire import Wire, phone_number, seeded

CLINIC_LINE = "+12052535597"
AGENCY_LINE = "+14155550142"
SHOP_LINE = "+16465550177"
# By the names that the files in `texts` use.
LINES_BY_NAME = {"clinic": CLINIC_LINE, "agency": AGENCY_LINE, "shop": SHOP_LINE}


def phone_numbers() -> list[Wire]:
    """The lines as Linq lists them: a healthy one, a critical one, and one at risk that has RCS only."""
    random = seeded("phone numbers")
    return [
        phone_number(random, CLINIC_LINE, reputation="HEALTHY", forwarding_number="+12055550199"),
        phone_number(random, AGENCY_LINE, reputation="CRITICAL"),
        phone_number(random, SHOP_LINE, reputation="AT_RISK", line_type="RCS"),
    ]
