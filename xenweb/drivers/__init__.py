"""The only code that talks to hypervisors."""
