"""The English sentences that errors and wrong settings are shown with."""
