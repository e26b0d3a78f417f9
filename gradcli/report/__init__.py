"""Reports as text, JSON, Markdown and pictures."""
