"""Who is who: the operator's contacts file."""
