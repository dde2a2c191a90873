"""The web edge: pages, REST, the socket, and the one file that maps errors to HTTP."""
