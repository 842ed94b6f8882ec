"""What the tools that send share: whom they may write to, what a person is asked, and what became of it."""
