"""Recorded bags: files, messages, pixels and truth."""
