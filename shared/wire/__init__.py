"""A frame on the wire, as WIRE.md specifies it. Codecs are a layer above: nothing in this package knows one."""
