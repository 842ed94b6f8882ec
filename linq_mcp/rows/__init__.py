"""What answers are made of: a chat, a message, a line, a status. Each row is declared once; its schema follows."""
