"""The terminal dashboard.

It is built like the array itself: a desk that decides (pure: keys, answers and events in, effects out, a screen of
`Line`s on request) and a thin shell around it that owns the terminal, the clock and the connection.

    values world        what the array says, as values
    line look table …   what a screen is made of; nothing below knows a terminal
    views/ boxes/       one file per screen, one per dialog
    keys                every action once: key, words, role, the equal `fa` command
    desk                joins them
    shell canvas        Textual: the terminal, the clock, HTTP and the live stream
    app                 `run`: looks before it imports any of that
"""
