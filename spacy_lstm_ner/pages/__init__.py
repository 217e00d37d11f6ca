"""Pages of HTML that need nothing but a browser.

Each is one file: no network, no fonts, no scripts from elsewhere. Text of users is text
and never markup, and a page says in its policy that no script but its own may run.
"""
