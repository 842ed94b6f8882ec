"""The tools that a client is shown: one module each, one line each here, in the order of the list."""

from typing import Any

from linq_mcp.tools.base.tool import Tool
from linq_mcp.tools.find_chats import FIND_CHATS
from linq_mcp.tools.find_messages import FIND_MESSAGES
from linq_mcp.tools.get_attachment import GET_ATTACHMENT
from linq_mcp.tools.get_chat import GET_CHAT
from linq_mcp.tools.get_message import GET_MESSAGE
from linq_mcp.tools.list_chats import LIST_CHATS
from linq_mcp.tools.list_inbox import LIST_INBOX
from linq_mcp.tools.list_messages import LIST_MESSAGES
from linq_mcp.tools.list_phone_numbers import LIST_PHONE_NUMBERS
from linq_mcp.tools.react_to_message import REACT_TO_MESSAGE
from linq_mcp.tools.send_message import SEND_MESSAGE
from linq_mcp.tools.summarize_activity import SUMMARIZE_ACTIVITY
from linq_mcp.tools.summarize_chat_health import SUMMARIZE_CHAT_HEALTH

TOOLS: tuple[Tool[Any], ...] = (
    LIST_CHATS,
    LIST_INBOX,
    LIST_MESSAGES,
    FIND_MESSAGES,
    FIND_CHATS,
    SUMMARIZE_ACTIVITY,
    SUMMARIZE_CHAT_HEALTH,
    GET_CHAT,
    GET_MESSAGE,
    GET_ATTACHMENT,
    LIST_PHONE_NUMBERS,
)
# After the others, and only where the operator allows sending.
SEND_TOOLS: tuple[Tool[Any], ...] = (SEND_MESSAGE, REACT_TO_MESSAGE)
