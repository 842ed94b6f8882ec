"""What tools share."""
