"""What stands between edges and clouds: HAProxy as it is shipped, or a stand-in."""
