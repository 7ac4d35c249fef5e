"""How the winner among trials is picked, one rule a file."""
