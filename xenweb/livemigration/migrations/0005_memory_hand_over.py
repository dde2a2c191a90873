from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("livemigration", "0004_override_preflight"),
    ]

    operations = [
        migrations.AddField(
            model_name="migration",
            name="memory_hand_over",
            field=models.PositiveBigIntegerField(null=True),
        ),
    ]
