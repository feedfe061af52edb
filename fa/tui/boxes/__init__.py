"""The dialogs, one file each: confirm, menu, text, prompt, submit form."""
