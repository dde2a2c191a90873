import django.db.models.deletion
import xenweb.core.disk_move
import xenweb.livemigration.models
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0007_cards_and_bridges"),
        ("livemigration", "0010_maps"),
    ]

    operations = [
        migrations.CreateModel(
            name="DiskMove",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=xenweb.livemigration.models.new_id, max_length=16, primary_key=True, serialize=False
                    ),
                ),
                ("vm_name", models.CharField(max_length=255)),
                ("vm_uuid", models.CharField(max_length=36)),
                ("device", models.CharField(max_length=40)),
                ("path", models.CharField(max_length=1000)),
                ("capacity", models.BigIntegerField()),
                ("source_name", models.CharField(max_length=255)),
                ("target_name", models.CharField(max_length=255)),
                ("state", models.CharField(default=xenweb.core.disk_move.DiskMoveState["ASKED"], max_length=20)),
                ("share", models.FloatField(null=True)),
                ("requested_by_name", models.CharField(max_length=150)),
                ("requested_at", models.DateTimeField()),
                ("cancel_requested_at", models.DateTimeField(null=True)),
                ("cancel_requested_by", models.CharField(blank=True, max_length=150)),
                ("call_intended_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("sentence", models.TextField(blank=True)),
                (
                    "host",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="inventory.host"
                    ),
                ),
                (
                    "target",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="inventory.storagerepository"
                    ),
                ),
                (
                    "vm",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="disk_moves",
                        to="inventory.virtualmachine",
                    ),
                ),
            ],
            options={
                "ordering": ["-requested_at", "-id"],
                "indexes": [models.Index(fields=["state"], name="livemigrati_state_d6a22d_idx")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                [
                                    xenweb.core.disk_move.DiskMoveState["ASKED"],
                                    xenweb.core.disk_move.DiskMoveState["MOVING"],
                                    xenweb.core.disk_move.DiskMoveState["UNCERTAIN"],
                                ],
                            )
                        ),
                        fields=("vm",),
                        name="one_active_disk_move_per_vm",
                    )
                ],
            },
        ),
    ]
