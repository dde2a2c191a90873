"""What only the two hosts themselves can say about a move: each check beside the others, none in another's way."""
