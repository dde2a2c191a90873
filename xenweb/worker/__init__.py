"""The edge that works without a person: RQ's door, the watcher, the reconciler, the supervisor."""
