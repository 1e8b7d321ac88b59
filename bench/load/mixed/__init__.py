"""How a cloud serves clients whose frames cross at several split points."""
