from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0006_long_addresses"),
    ]

    operations = [
        migrations.AddField(
            model_name="network",
            name="bridge",
            field=models.CharField(blank=True, default="", max_length=255),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="virtualmachine",
            name="cards",
            field=models.JSONField(default=list),
        ),
    ]
