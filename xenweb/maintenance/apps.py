from django.apps import AppConfig


class MaintenanceConfig(AppConfig):
    """Register the app under its short label."""

    name = "xenweb.maintenance"
    label = "maintenance"
    default_auto_field = "django.db.models.BigAutoField"
