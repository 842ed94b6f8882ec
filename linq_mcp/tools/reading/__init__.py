"""Reading lists to their end: chats, and the messages of many of them."""
