from django.apps import AppConfig


class InventoryConfig(AppConfig):
    """Register the app under its short label."""

    name = "xenweb.inventory"
    label = "inventory"
    default_auto_field = "django.db.models.BigAutoField"
