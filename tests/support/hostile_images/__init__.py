"""Small files that claim much, wait for ever, climb out, or run code: each is to be refused in words."""
