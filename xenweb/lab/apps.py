from django.apps import AppConfig


class LabConfig(AppConfig):
    """Register the app under its short label."""

    name = "xenweb.lab"
    label = "lab"
