"""The address book of the demo account: the names of its people, which Linq itself does not know."""

from linq_mcp.demo.account import demo_account
from linq_mcp.demo.people import PEOPLE, person


def demo_contacts() -> dict[str, str]:
    """Give the names of all people in the demo account by their handles, as the account writes the handles."""
    names: dict[str, str] = {}
    for who in map(person, range(PEOPLE)):
        names[who.phone] = names[who.email] = who.name
    return {
        one["handle"]: names[one["handle"].lower()]
        for chat in demo_account().chats
        for one in chat["handles"]
        if one["handle"].lower() in names
    }
