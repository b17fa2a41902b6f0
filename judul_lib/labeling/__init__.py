"""People's labels: which pairs to ask about, how well people agree, and learning from them."""
