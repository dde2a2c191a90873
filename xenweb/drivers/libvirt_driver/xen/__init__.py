"""What is Xen's own about libvirt's libxl driver: how it is looked at, moved, checked and mended."""
