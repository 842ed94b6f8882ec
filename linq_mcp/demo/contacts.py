"""The contacts of the demo account: the names of its people, which Linq does not know."""

from functools import cache

from linq_mcp.demo.account import demo_account
from linq_mcp.demo.people import PEOPLE, person


@cache
def demo_contacts() -> dict[str, str]:
    """The names of all people in the demo account by their handles, with email addresses in lower case."""
    names: dict[str, str] = {}
    for who in map(person, range(PEOPLE)):
        names[who.phone] = names[who.email] = who.name
    handles = (one["handle"].lower() for chat in demo_account().chats for one in chat["handles"])
    return {handle: names[handle] for handle in handles if handle in names}
