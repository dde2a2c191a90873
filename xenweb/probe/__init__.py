"""The probe of a Xen host: what libvirt does not tell, told by the host itself.

It is data to the product: packed into one file (see ``packing``) and run on a Xen host by its own Python,
with nothing but the standard library. Only ``wire`` is used on both sides.
"""
