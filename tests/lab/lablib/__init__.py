"""Two or three libvirt hosts, each in its own namespaces, on one machine."""
