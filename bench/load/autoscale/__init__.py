"""Whether the autoscalers of deploy/kubernetes scale in time: their published rule, replayed over traces of load."""
