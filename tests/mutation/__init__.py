"""How many small changes to the core its own tests notice."""
