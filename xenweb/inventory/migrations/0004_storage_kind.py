from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0003_host_capabilities_and_probe"),
    ]

    operations = [
        migrations.AddField(
            model_name="storagerepository",
            name="storage",
            field=models.CharField(default="unknown", max_length=20),
        ),
    ]
