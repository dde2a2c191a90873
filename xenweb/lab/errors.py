"""What can go wrong with a lab, each as one sentence for a person."""


class LabError(Exception):
    """Say in one sentence why the lab could not do what was asked."""


class LabUnavailableError(LabError):
    """Say in one sentence what this machine lacks for a lab."""
