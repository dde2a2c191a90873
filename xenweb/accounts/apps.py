from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Register the app under its short label."""

    name = "xenweb.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
