"""Which classes and fields of a pool's records we read: all others are left where they come in."""

FIELDS: dict[str, tuple[str, ...]] = {
    "pool": ("uuid", "name_label", "master", "ha_enabled"),
    "host": ("uuid", "name_label", "address", "enabled", "metrics", "cpu_info", "software_version"),
    "host_metrics": ("memory_total", "live"),
    "VM": (
        "uuid", "name_label", "power_state", "resident_on", "scheduled_to_be_resident_on", "affinity", "VBDs", "VIFs",
        "memory_dynamic_min", "memory_dynamic_max", "memory_overhead", "VCPUs_max", "current_operations",
        "allowed_operations", "blocked_operations", "is_a_template", "is_a_snapshot", "is_control_domain",
        "domain_type", "guest_metrics", "attached_PCIs", "VGPUs", "VUSBs", "last_boot_CPU_flags", "suspend_VDI",
    ),
    "SR": ("uuid", "name_label", "type", "content_type", "shared", "PBDs", "physical_size", "physical_utilisation"),
    "PBD": ("host", "SR", "currently_attached"),
    "VDI": ("uuid", "SR", "virtual_size", "cbt_enabled", "on_boot"),
    "VBD": ("VM", "VDI", "type", "empty", "mode", "device"),
    "VIF": ("network",),
    "network": ("name_label", "bridge", "PIFs"),
    "PIF": ("host", "network", "IP", "management"),
}  # fmt: skip
"""Fields that we expect in every pool that we can speak with."""

MORE: dict[str, tuple[str, ...]] = {
    "pool": ("default_SR",),
    "host": ("hostname",),
    "VM": ("is_default_template", "memory_static_max", "snapshots", "ha_restart_priority", "metrics"),
    "VDI": ("name_label", "is_a_snapshot", "snapshot_of", "type"),
    "VBD": ("userdevice", "currently_attached"),
    "VIF": ("VM", "device", "MAC"),
    "network": ("uuid",),
    "PIF": ("uuid", "device"),
}
"""Fields that are read where they are there."""

READ = {kind: frozenset((*expected, *MORE.get(kind, ()))) for kind, expected in FIELDS.items()}
"""What is kept of a record of each class: whatever else a pool tells is left where it comes in."""

CLASSES = tuple(FIELDS)
