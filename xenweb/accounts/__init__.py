"""Who may do what: users, teams, roles, tokens, and the one policy all edges ask."""
