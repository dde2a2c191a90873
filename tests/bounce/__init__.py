"""VMs hop all over the lab while everything around them breaks; the guests themselves say what was lost."""
