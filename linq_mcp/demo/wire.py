"""Makes the objects of Linq's Partner API V3 as plain dicts: handle, part, reaction, message, phone number.

Everything random in them comes from the `Random` that is passed in, so the same seed makes the same account. Other
modules have what people say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from linq_mcp.demo.attachments import size_of

Wire = dict[str, Any]

# The time at which the account is written. Nothing in it reads the clock; `account.demo_account` moves all of it.
NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)

# Where Linq keeps files.
CDN = "https://cdn.linqapp.com"

MIME_TYPES = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "heic": "image/heic",
    "pdf": "application/pdf",
    "m4a": "audio/x-m4a",
    "mov": "video/quicktime",
    "mp4": "video/mp4",
    "vcf": "text/vcard",
    "csv": "text/csv",
}

_DELIVERED = {"delivered", "received", "read"}
_NOT_YET_SENT = {"pending", "queued", "failed"}


def seeded(name: str) -> Random:
    """A random generator for one named thing, so that changing one thing leaves the others as they are."""
    return Random(f"linq-mcp demo: {name}")  # noqa: S311 - data that must repeat, not a secret


def new_id(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def rfc3339(at: datetime) -> str:
    """A UTC time in the format of most of Linq's times: `2026-11-20T17:45:00Z`."""
    return at.isoformat()[:19] + "Z"


def rfc3339_millis(at: datetime) -> str:
    """A UTC time in the format of `joined_at`: `2026-11-20T17:45:00.000Z`."""
    return at.isoformat()[:19] + ".000Z"


def handle(
    random: Random,
    address: str,
    *,
    service: str,
    joined_at: datetime,
    is_me: bool = False,
) -> Wire:
    return {
        "id": new_id(random),
        "handle": address,
        "joined_at": rfc3339_millis(joined_at),
        "service": service,
        "is_me": is_me,
        "left_at": None,
        "status": "active",
    }


def health(status: str, since: datetime) -> Wire:
    anchor = status.lower().replace("_", "-")
    return {
        "doc_url": f"https://docs.linqapp.com/guides/chats/chat-health#{anchor}",
        "status": status,
        "updated_at": rfc3339(since),
    }


def phone_number(
    random: Random,
    number: str,
    *,
    reputation: str,
    line_type: str | None = "iMessage",
    forwarding_number: str | None = None,
) -> Wire:
    anchor = reputation.lower().replace("_", "-")
    return {
        "id": new_id(random),
        "phone_number": number,
        "reputation": {
            "status": reputation,
            "doc_url": f"https://docs.linqapp.com/guides/phone-numbers/phone-reputation#{anchor}",
        },
        "forwarding_number": forwarding_number,
        "line_type": line_type,
    }


def text(value: str) -> Wire:
    return {"type": "text", "value": value, "reactions": []}


def link(url: str) -> Wire:
    return {"type": "link", "value": url, "reactions": []}


def media(random: Random, filename: str) -> Wire:
    attachment = new_id(random)
    url = presigned(random, f"attachments/{attachment}/{filename}")
    # Drawn for every file, so that the rest of the account does not depend on which are kept.
    drawn = random.randrange(18_000, 4_800_000)
    return {
        "type": "media",
        "id": attachment,
        "url": url,
        "filename": filename,
        "mime_type": MIME_TYPES.get(filename.rpartition(".")[2], "application/octet-stream"),
        "size_bytes": size_of(filename) or drawn,
        "reactions": [],
    }


def presigned(random: Random, path: str) -> str:
    """A signed download URL, as Linq has for files."""
    return (
        f"{CDN}/{path}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20261120T180000Z"
        f"&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature={random.getrandbits(256):064x}"
    )


def reaction(random: Random, by: Wire, kind: str, *, custom_emoji: str | None = None) -> Wire:
    made: Wire = {
        "id": new_id(random),
        "handle": by,
        "is_me": bool(by["is_me"]),
        "type": kind,
        "custom_emoji": custom_emoji,
        "sticker": None,
    }
    if kind == "sticker":
        made["sticker"] = {
            "file_name": "waving-pear.png",
            "mime_type": "image/png",
            "url": presigned(random, "stickers/waving-pear.png"),
            "width": 320,
            "height": 320,
        }
    return made


@dataclass(frozen=True)
class Sending:
    """When a message was written, its delivery status, and its service if that is not its sender's."""

    at: datetime
    status: str
    service: str | None = None


def message(random: Random, chat: Wire, sender: Wire, parts: Sequence[Wire], sending: Sending) -> Wire:
    """A message whose times and flags agree with its delivery status."""
    at, status = sending.at, sending.status
    delivered = status in _DELIVERED
    written = rfc3339(at)
    sent_at = None if status in _NOT_YET_SENT else rfc3339(at + timedelta(seconds=1))
    read = status == "read"
    return {
        "id": new_id(random),
        "chat_id": chat["id"],
        "service": sending.service or sender["service"],
        "preferred_service": chat["service"],
        "from": sender["handle"],
        "from_handle": sender,
        "parts": list(parts),
        "reply_to": None,
        "is_from_me": bool(sender["is_me"]),
        "is_delivered": delivered,
        "is_read": read,
        "delivery_status": status,
        "created_at": written,
        "updated_at": written,
        "sent_at": sent_at,
        "delivered_at": rfc3339(at + timedelta(seconds=2)) if delivered else None,
        "read_at": rfc3339(at + timedelta(seconds=40)) if read else None,
        "effect": None,
    }
