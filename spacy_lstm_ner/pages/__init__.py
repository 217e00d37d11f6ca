"""Pages: results as HTML.

Each page is a single file that loads nothing from the network. Text from users is
always escaped, and the content security policy of a page allows no script but its own.
"""
