"""`POST /v1/chat/completions`, and the parts of a chat that other endpoints use too.

Those are messages, tools, response formats and the choice of a message parser.
"""
