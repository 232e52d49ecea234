"""What `mtshare` can be told to do: every sub-command, its options and what it prints."""
