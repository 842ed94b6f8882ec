"""What every tool needs: its declaration, its parameters, its pages, and how it asks a person."""
